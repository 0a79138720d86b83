package forge

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAccessNamesTheKeyThatIsWrong(t *testing.T) {
	good := Access{Repository: "team/code", AccessToken: "ghp_x"}
	require.NoError(t, good.Validate())
	for want, change := range map[string]func(*Access){
		`repository: "code" is not of the form owner/name`:                            func(a *Access) { a.Repository = "code" },
		`repository: "a/b/c" is not of the form owner/name`:                           func(a *Access) { a.Repository = "a/b/c" },
		`repository: "../x" is not of the form owner/name`:                            func(a *Access) { a.Repository = "../x" },
		`repository: "" is not of the form owner/name`:                                func(a *Access) { a.Repository = "" },
		"api_url: is not a web address":                                               func(a *Access) { a.APIURL = "api.github.com" },
		"api_url: remove user, password":                                              func(a *Access) { a.APIURL = "https://me:pw@example.com/api/v3" },
		"api_url: the API of acme.ghe.com is at https://api.acme.ghe.com; write that": func(a *Access) { a.APIURL = "https://acme.ghe.com/api/v3" },
		"ca_cert: it has no certificate":                                              func(a *Access) { a.CACert = "hello" },
		"access_token: is required":                                                   func(a *Access) { a.AccessToken = "" },
		"access_token: contains a blank or a line break":                              func(a *Access) { a.AccessToken = "ghp_x\n" },
		"access_token: there is also a GitHub App":                                    func(a *Access) { a.AppID = "1" },
		"app_id: is required":                                                         func(a *Access) { a.AccessToken, a.AppPrivateKey = "", "x" },
		"app_private_key: is required":                                                func(a *Access) { a.AccessToken, a.AppID = "", "1" },
		"app_private_key: it is not a key in PEM form":                                func(a *Access) { a.AccessToken, a.AppID, a.AppPrivateKey = "", "1", "x" },
	} {
		a := good
		change(&a)
		err := a.Validate()
		require.Error(t, err, want)
		assert.True(t, strings.HasPrefix(err.Error(), want), "%s, not %s", err, want)
		_, err = a.Open(Options{})
		require.Error(t, err)
	}
}

func TestAddresses(t *testing.T) {
	for given, want := range map[string][3]string{
		"":                                 {"https://api.github.com", "https://uploads.github.com", "https://api.github.com/graphql"},
		"https://api.github.com/":          {"https://api.github.com", "https://uploads.github.com", "https://api.github.com/graphql"},
		"https://ghe.example/api/v3":       {"https://ghe.example/api/v3", "https://ghe.example/api/uploads", "https://ghe.example/api/graphql"},
		"https://api.acme.ghe.com":         {"https://api.acme.ghe.com", "https://uploads.acme.ghe.com", "https://api.acme.ghe.com/graphql"},
		"https://ghe.example:8443/api/v3/": {"https://ghe.example:8443/api/v3", "https://ghe.example:8443/api/uploads", "https://ghe.example:8443/api/graphql"},
	} {
		api, err := Access{Repository: "a/b", APIURL: given}.api()
		require.NoError(t, err)
		assert.Equal(t, want, [3]string{api.String(), uploads(api).String(), graphQL(api).String()}, given)
	}
}

func TestPagesForPeople(t *testing.T) {
	for api, want := range map[string]string{
		"": "https://github.com/a/b", "https://ghe.example/api/v3": "https://ghe.example/a/b", "https://api.acme.ghe.com": "https://acme.ghe.com/a/b",
	} {
		f, err := Access{Repository: "a/b", APIURL: api, AccessToken: "t"}.Open(Options{})
		require.NoError(t, err)
		assert.Equal(t, want, f.WebURL())
	}
}

func TestSecretsAreTold(t *testing.T) {
	assert.Equal(t, []string{"t", "k"}, Access{AccessToken: "t", AppPrivateKey: "k"}.Secrets())
	assert.Empty(t, Access{}.Secrets())
}
