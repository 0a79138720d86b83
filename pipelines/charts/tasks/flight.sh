#!/usr/bin/env bash
# Runs a step of a test flight in the root of the repository. The step's environment has the cluster, the name of the namespace
# and the place of Terraform's state.
set -euo pipefail

NAMESPACE=$RELEASE-testflight-$(cat repo/.git/short_ref)
STATE=$PWD/state/terraform.tfstate
export NAMESPACE STATE
cd repo
bash -euo pipefail -c "$COMMAND"
