# What nix builds of lana-bank. It needs nothing but a shell, so that the real nix program can build it in a rehearsal:
# taxiway rehearse … --tool nix=./my-nix.sh.
{
  description = "lana-bank";

  outputs = { self }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      make = system: name: script: derivation {
        inherit name system;
        builder = "/bin/sh";
        args = [ "-c" "export PATH=/usr/bin:/bin; mkdir -p $out/bin; ${script}" ];
      };
      binary = system: name: make system name ''echo "${name} ${builtins.getEnv "VERSION"}" >$out/bin/${name}'';
      program = system: name: text: make system name ''
        echo '#!/bin/sh' >$out/bin/${name}
        echo '${text}' >>$out/bin/${name}
        chmod +x $out/bin/${name}
      '';
    in
    {
      packages = builtins.listToAttrs (map
        (system: {
          name = system;
          value = {
            lana-cli-release = binary system "lana-cli";
            nextest = program system "nextest" "if grep -q \"principal) - 1\" lana/interest.rs; then echo accrues_daily FAILED; exit 1; fi; echo every test has passed";
            bats = program system "bats" "echo the bank is up";
            generate-docs = program system "generate-docs" "mkdir -p \"$1/docs-site\" && echo \"# The API of $VERSION\" >\"$1/docs-site/api.md\"";
          };
        })
        systems);
    };
}
