package vendored

import "strings"

// Compare is the page that shows the commits between two refs of a repository at
// a forge, by the address that vendir.yml has; empty for others, and when there is
// nothing to compare.
func Compare(url, before, after string) string {
	if before == after || before == "" {
		return ""
	}
	at := strings.TrimSuffix(strings.TrimSuffix(url, "/"), ".git")
	if host, repository, ok := strings.Cut(strings.TrimPrefix(at, "git@"), ":"); ok && !strings.Contains(at, "://") && !strings.Contains(host, "/") {
		at = "https://" + host + "/" + repository
	}
	at = strings.Replace(at, "ssh://git@", "https://", 1)
	if !strings.HasPrefix(at, "https://") || strings.Contains(at, "@") {
		return ""
	}
	return at + "/compare/" + before + "..." + after
}
