# The namespace of a test flight, and what the chart needs in it. The charts pipeline applies this before it installs the chart,
# and destroys it when the flight is over. Each flight has a name of its own.
variable "testflight_namespace" {
  type = string
}

provider "kubernetes" {}

resource "kubernetes_namespace" "testflight" {
  metadata {
    name = var.testflight_namespace
  }
}
