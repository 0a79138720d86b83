#!/usr/bin/env bash
# pending STATUS REVISION: fails if a killed run has left the release in the middle of its work, and says how to go on from the
# last good REVISION. Nothing is done about it here: somebody else may be deploying the release at this moment.
set -euo pipefail

pending() {
  local way="helm rollback $RELEASE $2"
  [[ $1 == pending-* ]] || return 0
  [ "$2" != - ] || way="helm uninstall $RELEASE"
  echo "release $RELEASE is $1: an earlier run was killed. Run $way --namespace $NAMESPACE, then this job again" >&2
  return 1
}
