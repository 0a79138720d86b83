package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Address is a parsed uri.
type Address struct {
	Scheme string // http, https, ssh, git or file
	user   string
	pass   string // of http and https; never shown
	host   string
	port   string // "" for the usual one
	Path   string // as the server is to be asked for it
}

// ParseAddress understands URLs, "user@host:path" and local paths.
func ParseAddress(uri string) (*Address, error) {
	switch {
	case strings.ContainsAny(uri, "\x00\n\r"):
		return nil, errors.New("uri: it has a line break or a zero byte in it")
	case strings.TrimSpace(uri) != uri:
		return nil, errors.New("uri: it begins or ends with a blank")
	case strings.Contains(uri, "://"):
		return parseURL(uri)
	}
	for _, scheme := range []string{"https", "http", "ssh", "file"} {
		if rest, ok := strings.CutPrefix(uri, scheme); ok && (strings.HasPrefix(rest, ":/") || strings.HasPrefix(rest, "//")) {
			return nil, fmt.Errorf("uri: it begins with %s%s: write %s://", scheme, rest[:2], scheme)
		}
	}
	if e, err := parseShort(uri); e != nil || err != nil {
		return e, err
	}
	return &Address{Scheme: "file", Path: uri}, nil
}

func parseURL(uri string) (*Address, error) {
	u, err := url.Parse(uri)
	if err != nil {
		// The error of url.Parse quotes the whole text, which may have a password.
		if regexp.MustCompile(`^ssh://[^/]*:[^0-9/]`).MatchString(uri) {
			return nil, errors.New("uri: it is a mix of two forms: write ssh://user@host/path, or user@host:path without ssh://")
		}
		return nil, errors.New("uri: it is not a valid URL: write a special character as % and two digits, and a port is a number")
	}
	e := &Address{Scheme: strings.ToLower(u.Scheme), host: u.Hostname(), port: u.Port(), Path: u.Path}
	if u.User != nil {
		e.user = u.User.Username()
		e.pass, _ = u.User.Password()
	}
	switch {
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("uri: remove what follows ? or #; set branch for a branch")
	case e.Scheme == "file":
		e.host = ""
	case e.Scheme == "git+ssh" || e.Scheme == "ssh+git":
		e.Scheme = "ssh"
	case e.Scheme != "http" && e.Scheme != "https" && e.Scheme != "ssh" && e.Scheme != "git":
		return nil, fmt.Errorf("uri: %q is not a known kind of address: use https, ssh, git, http, file or a path", e.Scheme)
	}
	err = e.check()
	return e, err
}

func (e *Address) check() error {
	switch {
	case e.Scheme != "file" && e.host == "":
		return errors.New("uri: it names no host")
	case strings.Trim(e.Path, "/") == "":
		return errors.New("uri: it names a host but no repository")
	case strings.HasPrefix(e.host, "-") || strings.HasPrefix(e.user, "-"):
		return errors.New("uri: host and user must not begin with a dash")
	case e.Scheme == "ssh" && strings.HasPrefix(e.Path, "/~"):
		e.Path = e.Path[1:] // relative to a home
	}
	return nil
}

// parseShort understands the forms of scp, which have a colon before the first slash: user@host:path,
// and with brackets around an IPv6 address, or around a host and its port: user@[::1]:path,
// [user@host:port]:path.
func parseShort(uri string) (*Address, error) {
	e := &Address{Scheme: "ssh"}
	rest := uri
	if user, host, ok := strings.Cut(uri, "@"); ok && !strings.ContainsAny(user, "/:[") {
		e.user, rest = user, host
	}
	var ok bool
	if inside, bracketed := strings.CutPrefix(rest, "["); bracketed {
		var host string
		if host, e.Path, ok = strings.Cut(inside, "]:"); !ok || !e.bracketed(host) {
			return nil, errors.New("uri: it begins with a bracket but is not of the form user@[IPv6 address]:path or [user@host:port]:path; ssh://user@host:port/path does the same")
		}
		err := e.check()
		return e, err
	}
	if e.user != "" && !strings.ContainsAny(rest, ":/") {
		return nil, fmt.Errorf("uri: %s names no repository; write %s:OWNER/REPOSITORY.git", uri, uri)
	}
	e.host, e.Path, ok = strings.Cut(rest, ":")
	if !ok || strings.Contains(e.host, "/") || e.host == "" {
		return nil, nil //nolint:nilnil // nil: not a short address
	}
	if strings.Contains(e.host, "@") {
		return nil, errors.New("uri: it has two @ before the path; write ssh://user@host/path")
	}
	err := e.check()
	return e, err
}

// bracketed reads what stands in the brackets, and reports whether it is valid.
func (e *Address) bracketed(text string) bool {
	if user, host, ok := strings.Cut(text, "@"); ok && e.user == "" {
		e.user, text = user, host
	}
	if _, err := netip.ParseAddr(text); err == nil {
		e.host = text
		return true
	}
	host, port, ok := strings.Cut(text, ":")
	e.host = host
	if !ok {
		return host != "" && !strings.ContainsAny(host, "@/[]")
	}
	e.port = port
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil && host != "" && !strings.ContainsAny(host, "@/[]")
}

// String is the address without a password, and without a user where that is
// part of the credentials.
func (e *Address) String() string {
	if e.Scheme == "file" {
		return e.Path
	}
	u := url.URL{Scheme: e.Scheme, Host: e.hostPort(), Path: e.Path}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path
	}
	if e.Scheme == "ssh" && e.user != "" {
		u.User = url.User(e.user)
	}
	return u.String()
}

func (e *Address) hostPort() string {
	switch {
	case e.port != "":
		return net.JoinHostPort(e.host, e.port)
	case strings.Contains(e.host, ":"):
		return "[" + e.host + "]"
	}
	return e.host
}

// dialAddress is the address with a port.
func (e *Address) dialAddress(usual string) string {
	port := e.port
	if port == "" {
		port = usual
	}
	return net.JoinHostPort(e.host, port)
}

// Web is the page for people, on hosts where the address tells it.
func (e *Address) Web() string {
	known := regexp.MustCompile(`(^|\.)(github|gitlab|bitbucket|gitea|codeberg)\b`)
	repository := strings.TrimSuffix(strings.Trim(path.Clean("/"+e.Path), "/"), ".git")
	switch {
	case e.Scheme == "file" || repository == "":
		return ""
	case e.Scheme == "https" && (e.port == "" || known.MatchString(e.host)):
		return "https://" + e.hostPort() + "/" + repository
	case known.MatchString(e.host):
		return "https://" + e.host + "/" + repository
	}
	return ""
}

// PublicAddress is how people may be told of the repository at uri: its page,
// where one is known, and else its address without credentials; empty when uri
// is not a valid address.
func PublicAddress(uri string) string {
	e, err := ParseAddress(uri)
	if err != nil {
		return ""
	}
	if web := e.Web(); web != "" {
		return web
	}
	return strings.TrimSuffix(e.String(), ".git")
}

// ownerAndName are the last two parts of the path, as GitHub has them.
func (e *Address) ownerAndName() (owner, name string, err error) {
	parts := strings.Split(strings.TrimSuffix(strings.Trim(e.Path, "/"), ".git"), "/")
	if len(parts) < 2 || parts[len(parts)-1] == "" || parts[len(parts)-2] == "" {
		return "", "", fmt.Errorf("the address %s has no owner and repository, as a GitHub App needs", e)
	}
	return parts[len(parts)-2], parts[len(parts)-1], nil
}
