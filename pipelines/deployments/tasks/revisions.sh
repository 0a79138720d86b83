#!/usr/bin/env bash
# revisions: prints the release's newest revision, its status, and the newest revision that was ever deployed; a dash for none.
set -euo pipefail

revisions() {
  local key value revision=- status=- deployed=-
  while IFS=': ' read -r key value; do
    case $key in
    revision) revision=$value ;;
    status) status=$value ;;
    esac
    case $key-$value in status-deployed | status-superseded) deployed=$revision ;; esac
  done < <(helm history "$RELEASE" --namespace "$NAMESPACE" --output yaml 2>/dev/null)
  echo "$revision $status $deployed"
}
