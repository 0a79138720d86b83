package transport

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

// Access are the keys of a source that say where a repository is and how to get
// in. They are the same in every resource.
type Access struct {
	// URI is https, ssh (also user@host:path), http, git, file or a local path.
	URI string `json:"uri" concourse:"required"`
	// Branch is a short name and matched exactly.
	Branch string `json:"branch" concourse:"required"`

	// PrivateKey is the text of an SSH key, OpenSSH or PEM.
	PrivateKey           string `json:"private_key,omitempty"`
	PrivateKeyPassphrase string `json:"private_key_passphrase,omitempty"`
	// KnownHosts are lines as in ~/.ssh/known_hosts. Without them the published
	// keys of github.com, gitlab.com and bitbucket.org count.
	KnownHosts            string `json:"known_hosts,omitempty"`
	InsecureIgnoreHostKey bool   `json:"insecure_ignore_host_key,omitempty"`

	// Username and Password are for http and https, and go to the host of URI
	// only. A token is given as the password.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`

	// AppID and AppPrivateKey are those of a GitHub App. Its installation is
	// looked up when AppInstallationID is empty.
	AppID             string `json:"app_id,omitempty"`
	AppPrivateKey     string `json:"app_private_key,omitempty"`
	AppInstallationID string `json:"app_installation_id,omitempty"`
	// AppAPIURL is the API of a GitHub Enterprise server; by default it is worked
	// out from the host of URI.
	AppAPIURL string `json:"app_api_url,omitempty"`

	// CACert is trusted in addition to the usual authorities; PEM.
	CACert              string `json:"ca_cert,omitempty"`
	SkipSSLVerification bool   `json:"skip_ssl_verification,omitempty"`

	// GitUser makes commits, as "Name <mail>".
	GitUser string `json:"git_user,omitempty"`
	// SigningKey signs commits and tags: the text of a private key, OpenPGP (armored) or SSH. GitUser is required
	// beside it.
	SigningKey           string `json:"signing_key,omitempty"`
	SigningKeyPassphrase string `json:"signing_key_passphrase,omitempty"`
}

// Validate names the first key that is wrong, without using the network.
func (a Access) Validate() error {
	e, err := ParseAddress(a.URI)
	if err != nil {
		return err
	}
	if err := CheckBranch(a.Branch); err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	return errors.Join(a.validateKeys(e), a.validateHosts(), a.validateLogin(e), a.validateTLS(), a.validateUser(), a.validateSigning())
}

// CheckBranch refuses what can't be the value of a key that names a branch.
func CheckBranch(name string) error {
	if short, ok := strings.CutPrefix(name, "refs/heads/"); ok {
		return fmt.Errorf("write the short name %q", short)
	}
	switch {
	case name == "":
		return errors.New("is empty")
	case strings.HasPrefix(name, "refs/"):
		return fmt.Errorf("%q is the full name of a ref that is not a branch; write the short name of a branch, such as main", name)
	}
	return object.CheckBranch(name)
}

// Warnings are about keys that are valid but may not do what they seem to.
func (a Access) Warnings() []string {
	e, err := ParseAddress(a.URI)
	if err != nil {
		return nil
	}
	var all []string
	if a.PrivateKey != "" && e.Scheme != "ssh" {
		all = append(all, fmt.Sprintf("private_key is not used: it is for ssh addresses, but uri is %s", e))
	}
	secret := a.Password != "" || a.AppPrivateKey != "" || e.pass != ""
	if secret && httpclient.Exposed(e.Scheme, e.host) {
		all = append(all, fmt.Sprintf("the credentials for %s can be read on the way, because uri is not https", e.host))
	}
	return all
}

func (a Access) validateKeys(e *Address) error {
	switch {
	case a.PrivateKey != "" && e.Scheme != "ssh":
		return nil // Warnings says it: pipelines of cepler must have the key, whatever the address
	case a.PrivateKey == "" && a.PrivateKeyPassphrase != "":
		return errors.New("private_key_passphrase: private_key is required beside it")
	case a.PrivateKey != "":
		_, err := ParseKey("private_key", a.PrivateKey, a.PrivateKeyPassphrase)
		return err
	}
	return nil
}

func (a Access) validateSigning() error {
	switch {
	case a.SigningKey == "" && a.SigningKeyPassphrase != "":
		return errors.New("signing_key_passphrase: signing_key is required beside it")
	case a.SigningKey != "" && a.GitUser == "":
		return errors.New("git_user: is required beside signing_key: name the signer, since forges verify a signature only for the signer's address")
	}
	return nil
}

func (a Access) validateHosts() error {
	if a.KnownHosts == "" {
		return nil
	}
	_, _, err := checkedHosts(a.KnownHosts)
	return err
}

func (a Access) validateLogin(e *Address) error {
	web := e.Scheme == "http" || e.Scheme == "https"
	switch {
	case a.Password == "" && a.Username != "" && e.pass == "":
		return errors.New("password: is required beside username")
	case a.Password != "" && e.pass != "":
		return errors.New("password: is also part of uri: remove it from uri")
	case a.Password != "" && !web:
		return fmt.Errorf("password: is for https addresses, but uri is %s; use private_key for ssh", e)
	case a.AppID == "" && a.AppPrivateKey == "" && a.AppInstallationID == "" && a.AppAPIURL == "":
		return nil
	case a.AppID == "":
		return errors.New("app_id: is required with the other keys of a GitHub App")
	case a.AppPrivateKey == "":
		return errors.New("app_private_key: is required with app_id")
	case a.Password != "" || e.pass != "":
		return errors.New("app_id: there is also a password: remove one of the two")
	case !web:
		return fmt.Errorf("app_id: is for https addresses, but uri is %s; write uri as https://HOST/OWNER/REPOSITORY.git", e)
	}
	_, err := newApp(a, e, nil)
	return err
}

func (a Access) validateTLS() error {
	_, err := newHTTPClient(a)
	return err
}

func (a Access) validateUser() error {
	if a.GitUser == "" {
		return nil
	}
	name, mail, ok := strings.Cut(a.GitUser, "<")
	if !ok || strings.TrimSpace(name) == "" || !strings.HasSuffix(strings.TrimSpace(mail), ">") || strings.Count(a.GitUser, "<") != 1 {
		return fmt.Errorf("git_user: %q is not of the form Name <mail>, like Robot <robot@example.com>", a.GitUser)
	}
	return nil
}

// defaultUser signs the commits of a source without git_user.
const defaultUser = "Taxiway <bot@taxiway.invalid>"

// Committer signs a commit with git_user, or with the name of this suite where the source has none.
func (a Access) Committer(at time.Time) object.Signature {
	name, email, _ := strings.Cut(cmp.Or(a.GitUser, defaultUser), "<")
	return object.Signature{Name: strings.TrimSpace(name), Email: strings.TrimSuffix(strings.TrimSpace(email), ">"), When: at}
}

// shortestToken tells tokens from names in a uri.
const shortestToken = 16

// Secrets are all values that nobody may see.
func (a Access) Secrets() []string {
	secrets := []string{a.PrivateKey, a.PrivateKeyPassphrase, a.Password, a.AppPrivateKey, a.SigningKey, a.SigningKeyPassphrase}
	if e, err := ParseAddress(a.URI); err == nil && e.pass != "" {
		secrets = append(secrets, e.pass, a.URI)
	} else if err == nil && len(e.user) >= shortestToken && strings.HasPrefix(e.Scheme, "http") {
		secrets = append(secrets, e.user) // a token in place of a name
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
}
