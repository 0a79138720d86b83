# shellcheck shell=sh
# "cachix watch-exec CACHE -- COMMAND": what the command builds is pushed.
if [ "$1" = watch-exec ]; then
  while [ "$1" != -- ]; do shift; done
  shift
  CACHIX_DOES=push
  export CACHIX_DOES
  exec "$@"
fi
