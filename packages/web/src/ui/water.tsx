/** Still water at the foot of the pages that have nothing else to show. */
export function Water() {
  return (
    <svg viewBox="0 0 1440 320" preserveAspectRatio="none" aria-hidden="true" className="pointer-events-none fixed inset-x-0 bottom-0 h-[34dvh] w-full text-accent">
      <path opacity=".07" fill="currentColor" d="M0 96c180-70 320-70 500-10s330 66 520 14 300-52 420-20v240H0z" />
      <path opacity=".09" fill="currentColor" d="M0 176c150-46 330-52 520-4s350 58 530 16 280-44 390-18v150H0z" />
      <path opacity=".13" fill="currentColor" d="M0 250c220-40 380-34 560-6s360 34 520 8 260-28 360-12v80H0z" />
    </svg>
  );
}
