package github

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	keyBits    = 2048
	maxJWTLife = 600 // seconds
)

// app is a GitHub App with one installation.
type app struct {
	id           string
	installation int64
	key          *rsa.PublicKey
	repositories []string // that it may see
	suspended    bool
	permissions  map[string]string // of the installation
}

// AddApp makes a GitHub App that is installed for these repositories, and gives
// its private key as PEM text.
func (s *Server) AddApp(id string, repositories ...string) (privateKey string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[id] = &app{id: id, installation: s.nextID() + 4700, key: &key.PublicKey, repositories: repositories, permissions: granted()}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})), nil
}

// Grant says which permissions the app's installation has, instead of the usual ones.
func (s *Server) Grant(id string, permissions map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[id].permissions = permissions
}

// SuspendApp makes the app's installation useless, or useful again.
func (s *Server) SuspendApp(id string, suspended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[id].suspended = suspended
}

// SetTokenLife says how long the apps' next tokens are valid, an hour at first.
func (s *Server) SetTokenLife(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenLife = d
}

// SetTokenDelay makes each new token of an app unknown for its first requests,
// which are answered with 404, as GitHub does until all its servers know it.
func (s *Server) SetTokenDelay(requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unknownFor = requests
}

// ExpireTokens ends all tokens of apps, whatever they were promised.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, ends := range s.tokens {
		if !ends.IsZero() {
			s.tokens[t] = time.Unix(1, 0)
		}
	}
}

func isAppCall(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/v3/app/") || strings.HasSuffix(r.URL.Path, "/installation")
}

// authenticate gives the login name behind a request.
func (s *Server) authenticate(r *http.Request) (login string, err error) {
	if isAppCall(r) {
		return "", nil // by the app's own statement
	}
	if len(s.options.Tokens) == 0 && len(s.apps) == 0 {
		return "somebody", nil
	}
	token := tokenOf(r)
	ends, known := s.tokens[token]
	switch {
	case token == "":
		return "", &failure{status: http.StatusUnauthorized, message: "Requires authentication"}
	case !known || (!ends.IsZero() && s.now().After(ends)):
		return "", &failure{status: http.StatusUnauthorized, message: "Bad credentials"}
	}
	if a := s.appOf(token); a != nil {
		return "taxiway[bot]", nil
	}
	return cmp.Or(s.options.Login, "galoybot"), nil
}

func (s *Server) appOf(token string) *app {
	for _, a := range s.apps {
		if strings.HasPrefix(token, "ghs_"+a.id+"_") {
			return a
		}
	}
	return nil
}

// maySee also lets a token come to be known, request by request.
func (s *Server) maySee(r *http.Request, repository string) bool {
	a := s.appOf(tokenOf(r))
	if a == nil {
		return true
	}
	if s.unknownFor > 0 {
		s.unknownFor--
		return false
	}
	return a.sees(repository)
}

func (a *app) sees(repository string) bool {
	return slices.ContainsFunc(a.repositories, func(r string) bool { return strings.EqualFold(r, repository) })
}

// verified is the app that made the statement of a request.
func (s *Server) verified(r *http.Request) (*app, error) {
	bad := &failure{status: http.StatusUnauthorized, message: "A JSON web token could not be decoded"}
	parts := strings.Split(tokenOf(r), ".")
	if len(parts) != 3 {
		return nil, bad
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, bad
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, bad
	}
	var c struct {
		Iss string `json:"iss"`
		Iat int64  `json:"iat"`
		Exp int64  `json:"exp"`
	}
	if err := json.Unmarshal(claims, &c); err != nil {
		return nil, bad
	}
	a := s.apps[c.Iss]
	if a == nil {
		return nil, &failure{status: http.StatusNotFound, message: "Integration not found"}
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(a.key, crypto.SHA256, sum[:], signature) != nil {
		return nil, bad
	}
	if now := time.Now().Unix(); c.Iat > now || c.Exp < now || c.Exp-c.Iat > maxJWTLife {
		return nil, &failure{status: http.StatusUnauthorized, message: "'Expiration time' claim ('exp') is too far in the future"}
	}
	return a, nil
}

func getInstallation(s *Server, c *call) (status int, body any, err error) {
	a, err := s.verified(c.Request)
	switch {
	case err != nil:
		return 0, nil, err
	case !a.sees(c.PathValue("owner") + "/" + c.PathValue("repo")):
		return 0, nil, notFound()
	}
	return http.StatusOK, map[string]any{"id": a.installation, "app_id": a.id, "account": map[string]any{"login": c.PathValue("owner")}, "permissions": a.permissions}, nil
}

// granted are the permissions of an installation at first.
func granted() map[string]string {
	return map[string]string{"contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write", "statuses": "write"}
}

// getInstallationByID answers what an installation may do.
func getInstallationByID(s *Server, c *call) (status int, body any, err error) {
	a, err := s.verified(c.Request)
	if err != nil {
		return 0, nil, err
	}
	if a.installation != c.number("id") {
		return 0, nil, notFound()
	}
	return http.StatusOK, map[string]any{"id": a.installation, "app_id": a.id, "permissions": a.permissions}, nil
}

// checkScope refuses what GitHub refuses, and what an installation should not ask: a token without a repository of its
// own, or with permissions that it does not have.
func checkScope(a *app, c *call) error {
	var q struct {
		Repositories []string          `json:"repositories"`
		Permissions  map[string]string `json:"permissions"`
	}
	if err := c.decode(&q); err != nil || len(q.Repositories) != 1 || len(q.Permissions) == 0 {
		return &failure{status: http.StatusUnprocessableEntity, message: "a token of this stand-in is for one repository and certain permissions"}
	}
	has := slices.ContainsFunc(a.repositories, func(full string) bool { return strings.HasSuffix(full, "/"+q.Repositories[0]) })
	if len(a.repositories) > 0 && !has {
		return &failure{status: http.StatusUnprocessableEntity, message: "There is at least one repository that does not exist or is not accessible to the parent installation."}
	}
	for name, level := range q.Permissions {
		if given := a.permissions[name]; given == "" || given == "read" && level == "write" {
			return &failure{status: http.StatusUnprocessableEntity, message: "The permissions requested are not granted to this installation."}
		}
	}
	return nil
}

func createToken(s *Server, c *call) (status int, body any, err error) {
	a, err := s.verified(c.Request)
	switch {
	case err != nil:
		return 0, nil, err
	case a.installation != c.number("id"):
		return 0, nil, notFound()
	case a.suspended:
		return 0, nil, &failure{status: http.StatusForbidden, message: "This installation has been suspended"}
	}
	if err := checkScope(a, c); err != nil {
		return 0, nil, err
	}
	var random [12]byte
	if _, err := rand.Read(random[:]); err != nil {
		return 0, nil, err
	}
	token, ends := "ghs_"+a.id+"_"+hex.EncodeToString(random[:]), s.now().Add(s.tokenLife)
	s.tokens[token] = ends
	if s.options.ShareTokens {
		s.options.Git.AddPassword("x-access-token", token)
	}
	return http.StatusCreated, map[string]any{"token": token, "expires_at": ends, "permissions": map[string]string{"contents": "write", "pull_requests": "write"}}, nil
}

// revokeToken ends the token that the request came with.
func revokeToken(s *Server, c *call) (status int, body any, err error) {
	token := tokenOf(c.Request)
	if s.appOf(token) == nil {
		return 0, nil, &failure{status: http.StatusForbidden, message: "Resource not accessible by personal access token"}
	}
	s.tokens[token] = time.Unix(1, 0)
	return http.StatusNoContent, nil, nil
}
