#!/usr/bin/env bash
# restore REVISION: rolls the release back to REVISION, or removes it for a dash. After an abort there is no time to wait for it.
set -euo pipefail

restore() {
  local wait=(--wait --timeout "$TIMEOUT")
  [ -z "${aborted-}" ] || wait=()
  if [ "$1" = - ]; then
    helm uninstall "$RELEASE" --namespace "$NAMESPACE" "${wait[@]}"
  else
    helm rollback "$RELEASE" "$1" --namespace "$NAMESPACE" "${wait[@]}"
  fi
}
