/** Light or dark: the system's wish, unless the person chose otherwise on this device. */

const storageKey = 'weir.theme';

export type Theme = 'light' | 'dark';

export const currentTheme = (): Theme =>
  chosenTheme() ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

export function applyChosenTheme(): void {
  const theme = chosenTheme();
  if (theme !== null) document.documentElement.dataset['theme'] = theme;
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(storageKey, theme);
  applyChosenTheme();
}

function chosenTheme(): Theme | null {
  const stored = localStorage.getItem(storageKey);
  return stored === 'light' || stored === 'dark' ? stored : null;
}
