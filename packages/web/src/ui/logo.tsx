/** The mark of Weir: water held back, and let through where it should. */
export function Logo({ className }: Readonly<{ className?: string }>) {
  return <img src="/logo.svg" alt="" width={32} height={32} className={className} />;
}
