#!/usr/bin/env bash
# dependencies FOLDER: builds the dependencies of the chart in FOLDER from its Chart.lock, unless charts/ has them all. A test
# flight and a deployment both do it here, so that what flies can be deployed.
set -euo pipefail

dependencies() {
  [ -f "$1/Chart.yaml" ] || { echo "no chart in ${1#./}: Chart.yaml is missing" >&2 && return 1; }
  local found repository
  found=$(helm dependency list "$1")
  case $found in *$'\t'missing* | *$'\t'"wrong version"*) ;; *) return 0 ;; esac
  while IFS=$'\t' read -r _ _ repository _; do # helm builds only from repositories that have a name
    repository=${repository%% *}
    [[ $repository != http*:* ]] || helm repo add --force-update "${repository//[^A-Za-z0-9]/-}" "$repository"
  done <<<"$found"
  helm dependency build --skip-refresh "$1"
}
