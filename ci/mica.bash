# bash completion for mica
