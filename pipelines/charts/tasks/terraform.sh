#!/usr/bin/env bash
# Makes or removes the namespace of a test flight and what the chart needs in it. State that Terraform would keep in a file of
# this container goes to $STATE, which the next step gets; another backend is used as it is.
set -euo pipefail

cd "$DIRECTORY"
export TF_VAR_testflight_namespace=$NAMESPACE KUBE_CONFIG_PATH=$KUBECONFIG
"$PROGRAM" init -input=false -no-color
backend=${TF_DATA_DIR:-.terraform}/terraform.tfstate
if [ ! -e "$backend" ] || grep -q '"type": "local"' "$backend"; then
  printf 'terraform {\n  backend "local" {\n    path = "%s"\n  }\n}\n' "$STATE" >taxiway_override.tf
  "$PROGRAM" init -input=false -no-color -reconfigure
fi
"$PROGRAM" "$VERB" -input=false -no-color -auto-approve
