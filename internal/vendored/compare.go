package vendored

import "strings"

// Compare is the page that shows the commits between two refs of a repository at
// a forge, by the address that vendir.yml has; empty for others, and when there is
// nothing to compare.
func Compare(url, before, after string) string {
	page := WebURL(url)
	if page == "" || before == after || before == "" {
		return ""
	}
	return page + "/compare/" + before + "..." + after
}

// WebURL is the page of a repository at a forge by its address for git; empty for addresses that have none.
func WebURL(url string) string {
	at := strings.TrimSuffix(strings.TrimSuffix(url, "/"), ".git")
	if host, repository, ok := strings.Cut(strings.TrimPrefix(at, "git@"), ":"); ok && !strings.Contains(at, "://") && !strings.Contains(host, "/") {
		at = "https://" + host + "/" + repository
	}
	at = strings.Replace(at, "ssh://git@", "https://", 1)
	if !strings.HasPrefix(at, "https://") || strings.Contains(at, "@") {
		return ""
	}
	return at
}
