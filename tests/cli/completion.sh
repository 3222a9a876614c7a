#!/usr/bin/env bash
# The bash completion, asked as readline would ask it.
# Usage: completion.sh MICA COMPLETION FOLDER   (FOLDER has the folder recipes)
helpers=/usr/share/bash-completion/bash_completion
[ -f $helpers ] || exit 77
mica=$(realpath "$1")
cd "$3" || exit
# shellcheck disable=SC1090
source $helpers
# shellcheck disable=SC1090
source "$2"

# Completes `mica WORD...`, whose last word is the one at the cursor, and looks for a candidate.
expect() {
  local wanted=$1
  shift
  COMP_WORDS=("$mica" "$@")
  COMP_CWORD=$#
  COMP_LINE="$mica $*"
  COMP_POINT=${#COMP_LINE}
  COMPREPLY=()
  _mica mica "${COMP_WORDS[COMP_CWORD]}"
  case " ${COMPREPLY[*]} " in
  *" $wanted "*) ;;
  *)
    echo "mica $*: no $wanted in: ${COMPREPLY[*]}"
    failed=1
    ;;
  esac
}

failed=0
expect train tr
expect --version ''
expect recipes/digits-mlp.yaml train recipes/dig
expect --resume train recipes/digits-mlp.yaml --r
expect auto plan --device ''
expect opencl summary --device openc
expect mlp bench m
expect sample sam
expect --channels-first convert --ch
expect torchvision predict model.onnx --preprocess tor
expect --weights encode recipes/digits-mlp.yaml --w
exit $failed
