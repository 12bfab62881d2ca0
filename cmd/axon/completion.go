package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// The scripts ask axon itself what may come next, so that they never lag
// behind it. They run the words of the command line without evaluating them.

const bashCompletion = `# bash completion of axon; to have it always:
#   axon completion bash > ~/.local/share/bash-completion/completions/axon
_axon() {
  local cur=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]:0:COMP_CWORD}") found
  case $cur in
    --) words+=(-) ;; # would end the flags
    -*) words+=("$cur") ;;
  esac
  found=$("${words[@]}" --generate-bash-completion 2>/dev/null) || return 0
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$found" -- "$cur"))
}
complete -o bashdefault -o default -F _axon axon
`

const zshCompletion = `#compdef axon
# zsh completion of axon; to have it always, in a folder that is part of $fpath:
#   axon completion zsh > ~/.zfunc/_axon
_axon() {
  local -a found asked
  asked=("${(@)words[1,CURRENT-1]}")
  case $words[CURRENT] in
    --) asked+=(-) ;; # would end the flags
    -*) asked+=("$words[CURRENT]") ;;
  esac
  found=("${(@f)$("${asked[@]}" --generate-bash-completion 2>/dev/null)}")
  if [[ -n $found[1] ]]; then
    _describe 'axon' found
  else
    _files
  fi
}
if [[ $funcstack[1] == _axon ]]; then
  _axon
else
  compdef _axon axon
fi
`

const fishHead = `# fish completion of axon; to have it always:
#   axon completion fish > ~/.config/fish/completions/axon.fish
`

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that completes axon's commands and flags in a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: "Put one of these into your shell's start-up file:\n\n" +
			"   source <(axon completion bash)\n" +
			"   source <(axon completion zsh)\n" +
			"   axon completion fish | source",
		BashComplete: func(c *cli.Context) { fmt.Fprintln(c.App.Writer, "bash\nzsh\nfish") },
		Action:       printCompletion,
	}
}

func printCompletion(c *cli.Context) error {
	if c.NArg() != 1 {
		return usageError("axon completion takes one argument: bash, zsh or fish")
	}
	script, err := completionScript(c.Args().First())
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.App.Writer, script)
	return err
}

func completionScript(shell string) (string, error) {
	switch strings.ToLower(shell) {
	case "bash":
		return bashCompletion, nil
	case "zsh":
		return zshCompletion, nil
	case "fish":
		// Of a fresh app: one that runs carries the library's help command, which
		// can come to contain itself, and then this would never end.
		script, err := newApp().ToFishCompletion()
		return fishHead + script, err
	}
	return "", usageError("there is no completion for %q: choose bash, zsh or fish", shell)
}
