/** `weir completion`: prints what a shell needs to complete commands and flags. */
import { buildCommand } from '@stricli/core';
import { print, type Context } from '../context.ts';
import { documented } from '../documentation.ts';

/** The command that the scripts call with the words so far, the unfinished one last. */
export const proposeName = '__complete';

const scripts = {
  bash: `_weir() { local IFS=$'\\n'; COMPREPLY=($(weir ${proposeName} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)); }\ncomplete -o default -F _weir weir`,
  zsh: `#compdef weir\n_weir() { local -a found; found=("\${(@f)$(weir ${proposeName} "\${(@)words[2,CURRENT]}" 2>/dev/null)}"); compadd -a found || _files; }\ncompdef _weir weir`,
  fish: `complete -c weir -a '(weir ${proposeName} (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'`,
} as const;
const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

function shell(value: string): Shell {
  const found = shells.find((name) => name === value);
  if (found === undefined) throw new RangeError('write bash, zsh or fish');
  return found;
}

export const completion = buildCommand<Record<never, never>, [Shell], Context>({
  func(this: Context, _flags: Record<never, never>, name: Shell) {
    print(this, scripts[name]);
  },
  parameters: { positional: { kind: 'tuple', parameters: [{ brief: 'bash, zsh or fish', placeholder: 'SHELL', parse: shell }] } },
  docs: documented({ brief: 'Print a completion script', examples: ['source <(weir completion bash)', 'weir completion fish > ~/.config/fish/completions/weir.fish'] }),
});
