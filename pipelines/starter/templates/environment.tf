# {{.Environment}}: the charts pipeline keeps the chart {{.Chart}} in {{.Vendored}}/{{.Content}}.
terraform {
  # The state must not stay in the container of a job: configure a backend here.
}
