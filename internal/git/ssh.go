package git

import "errors"

func newSSHDialer(_ Access, _ *endpoint, _ func(string, ...any)) (dialer, error) {
	return nil, errors.New("x")
}
func parsePrivateKey(_, _ string) (any, error) { return nil, nil }
func parseKnownHosts(_ string) (any, error)    { return nil, nil }
