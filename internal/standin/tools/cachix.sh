# shellcheck shell=sh
# "cachix watch-exec CACHE [--] COMMAND": runs the command, and pushes what it builds.
if [ "${1-}" = watch-exec ] && [ $# -gt 2 ]; then
  shift 2
  [ "$1" != -- ] || shift
  CACHIX_DOES=push
  export CACHIX_DOES
  exec "$@"
fi
