#!/usr/bin/env bash
# Runs a step of a test flight in the root of the repository: with the cluster, the name of the namespace and the place of
# Terraform's state in its environment.
set -euo pipefail
umask 077

KUBECONFIG=$(mktemp)
trap 'rm -f "$KUBECONFIG"' EXIT
printf '%s\n' "$KUBECONFIG_TEXT" >"$KUBECONFIG"
NAMESPACE=$RELEASE-testflight-$(cat repo/.git/short_ref) STATE=$PWD/state/terraform.tfstate
export KUBECONFIG NAMESPACE STATE
cd repo
bash -euo pipefail -c "$COMMAND"
