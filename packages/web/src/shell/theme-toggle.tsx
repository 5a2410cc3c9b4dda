/** Switches between light and dark. */
import { useState } from 'react';
import { chooseTheme, currentTheme } from '../theme.ts';
import { IconButton } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';

export function ThemeToggle() {
  const [theme, setTheme] = useState(currentTheme);
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <IconButton label={`Use ${other} colours`} onClick={() => { chooseTheme(other); setTheme(other); }}>
      <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
    </IconButton>
  );
}
