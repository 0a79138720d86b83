package git

import (
	"context"
	"errors"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
)

var errSoon = errors.New("being written")

type Access struct {
	URI                   string `json:"uri" concourse:"required"`
	Branch                string `json:"branch" concourse:"required"`
	PrivateKey            string `json:"private_key"`
	PrivateKeyPassphrase  string `json:"private_key_passphrase"`
	KnownHosts            string `json:"known_hosts"`
	InsecureIgnoreHostKey bool   `json:"insecure_ignore_host_key"`
	Username              string `json:"username"`
	Password              string `json:"password"`
	AppID                 string `json:"app_id"`
	AppPrivateKey         string `json:"app_private_key"`
	AppInstallationID     string `json:"app_installation_id"`
	AppAPIURL             string `json:"app_api_url"`
	CACert                string `json:"ca_cert"`
	SkipSSLVerification   bool   `json:"skip_ssl_verification"`
	GitUser               string `json:"git_user"`
}

func (a Access) Validate() error                  { return errSoon }
func (a Access) Secrets() []string                { return nil }
func (a Access) Open(_ Options) (*Remote, error)  { return nil, errSoon }

type Remote struct{}

func (r *Remote) Close() error                                                        { return errSoon }
func (r *Remote) URL() string                                                         { return "" }
func (r *Remote) WebURL() string                                                      { return "" }
func (r *Remote) Refs(_ context.Context, _ ...string) (map[string]Hash, error)        { return nil, errSoon }
func (r *Remote) Store(_ string) (*Store, error)                                      { return nil, errSoon }
func (r *Remote) Push(_ context.Context, _ *Store, _ *Built, _ ...Update) error       { return errSoon }

type Store struct{}

func OpenLocal(_ string) (*Store, error)                                              { return nil, errSoon }
func (s *Store) Close() error                                                         { return errSoon }
func (s *Store) URL() string                                                          { return "" }
func (s *Store) Ref(_ context.Context, _ string) (Hash, error)                                           { return Hash{}, errSoon }
func (s *Store) Refs(_ context.Context) (map[string]Hash, error) { return nil, errSoon }
func (s *Store) Has(_ Hash) bool                                                      { return false }
func (s *Store) Advance(_ context.Context, _ string, _ Hash) error                    { return errSoon }
func (s *Store) Commit(_ context.Context, _ Hash) (*Commit, error)                    { return nil, errSoon }
func (s *Store) NeedCommits(_ context.Context, _ ...Hash) error                       { return errSoon }
func (s *Store) Parents(_ context.Context, _ Hash) ([]Hash, error)                    { return nil, errSoon }
func (s *Store) Tree(_ context.Context, _ Hash) ([]Entry, error)                      { return nil, errSoon }
func (s *Store) Lookup(_ context.Context, _ Hash, _ string) (Entry, error)            { return Entry{}, errSoon }
func (s *Store) Walk(_ context.Context, _ Hash, _ func(string) bool, _ func(string, Entry) error) error { return errSoon }
func (s *Store) Diff(_ context.Context, _, _ Hash, _ func(string) bool, _ func(string, *Entry, *Entry) error) error { return errSoon }
func (s *Store) Need(_ context.Context, _ ...Hash) error                              { return errSoon }
func (s *Store) Blob(_ context.Context, _ Hash) ([]byte, error)                       { return nil, errSoon }
func (s *Store) OpenBlob(_ context.Context, _ Hash) (io.ReadCloser, int64, error)     { return nil, 0, errSoon }
func (s *Store) IsAncestor(_ context.Context, _, _ Hash) (bool, error)                { return false, errSoon }
func (s *Store) Change(_ context.Context, _ string, _ func(context.Context, *Commit) (*Built, error)) (*Commit, error) { return nil, errSoon }
func (s *Store) raw(_ context.Context, _ plumbing.ObjectType, _ Hash) ([]byte, error) { return nil, errSoon }
