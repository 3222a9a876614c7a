# shellcheck shell=bash
# bash completion for mica(1)

_mica_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

# What `mica devices` lists, and the names that always work. A word with a colon is completed from
# the colon on, since readline splits words there.
_mica_devices() {
  local ids
  ids=$("$1" devices --json 2>/dev/null | grep -o '"id": *"[^"]*"' | cut -d '"' -f 4)
  _mica_words "auto gpu cpu opencl vulkan $ids"
  __ltrim_colon_completions "$cur"
}

_mica() {
  local cur prev words cword split=false
  _init_completion -s -n : || return
  local program=${words[0]} command=${words[1]}

  if [ "$cword" = 1 ]; then
    _mica_words 'train eval predict sample encode recommend convert summary plan fetch devices check bench --help --version'
    return
  fi
  case $prev in
  --device)
    _mica_devices "$program"
    return
    ;;
  --data | --to)
    _filedir -d
    return
    ;;
  --weights)
    _filedir safetensors
    return
    ;;
  --preprocess)
    _mica_words 'alexnet vgg torchvision squeezenet'
    _filedir '@(yaml|yml)'
    return
    ;;
  --labels)
    _filedir
    return
    ;;
  --out | -o)
    if [ "$command" = train ]; then _filedir -d; else _filedir '@(png|npy|npz)'; fi
    return
    ;;
  --seed | --set | --steps | --top | --checkpoint-seconds | --from | --count | -n | --layer | --user | --item | --batch) return ;;
  esac
  $split && return

  if [[ $cur == -* ]]; then
    # Every command lists its options in --help, a line each.
    _mica_words "$("$program" "$command" --help 2>/dev/null | grep -o '^  --[a-z-]*')"
    return
  fi
  case $command in
  train | plan) _filedir '@(yaml|yml)' ;;
  summary) _filedir '@(yaml|yml|onnx|safetensors|npz|npy)' ;;
  convert) _filedir '@(yaml|yml|onnx|safetensors|npz|npy)' ;;
  eval) _filedir '@(yaml|yml)' ;;
  sample | recommend) _filedir -d ;;
  fetch) _mica_words 'mnist fashion-mnist cifar10' ;;
  predict | encode) if [ "$cword" = 2 ]; then _filedir '@(yaml|yml|onnx)'; else _filedir '@(png|jpg|jpeg)'; fi ;;
  bench) _mica_words "$("$program" bench --help 2>/dev/null | sed -n 's/^  \([a-z][a-z0-9_]*\) .*/\1/p')" ;;
  esac
}

complete -F _mica mica
