#!/usr/bin/env bash
# Makes or removes the namespace of a test flight and what the chart needs in it. A backend in the configuration goes before
# the state file, which then stays unused.
set -euo pipefail

cd "$DIRECTORY"
export TF_VAR_testflight_namespace=$NAMESPACE KUBE_CONFIG_PATH=$KUBECONFIG
"$PROGRAM" init -input=false -no-color
"$PROGRAM" "$VERB" -input=false -no-color -auto-approve -state="$STATE"
