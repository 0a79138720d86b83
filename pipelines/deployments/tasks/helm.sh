#!/usr/bin/env bash
# Installs or upgrades one Helm release and waits until it is ready; otherwise the release goes back to what it was. helm's own
# --atomic would hide the evidence, and waits for the way back longer than Concourse lets an aborted task live.
set -euo pipefail

dependencies "./repo/$CHART"
read -r before status good < <(revisions)
pending "$status" "$good"
aborted=''
trap 'aborted=yes' INT
helm upgrade "$RELEASE" "./repo/$CHART" --install --wait --wait-for-jobs --timeout "$TIMEOUT" \
  --namespace "$NAMESPACE" --create-namespace --values "./repo/$DIRECTORY/$VALUES" && exit
[ -n "$aborted" ] || evidence
read -r revision _ good < <(revisions)
[ "$revision" = "$before" ] || restore "$good" || { [ -n "$aborted" ] && restore "$good"; }
exit 1
