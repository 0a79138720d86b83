package pipeline

import (
	"regexp"
	"strings"
	"sync"
)

// secrets: what only the credential manager should know is a ((reference)).
func (l *linter) secrets() {
	for _, t := range l.p.ResourceTypes {
		l.plain("source of resource type "+quote(t.Name), t.Source)
		l.plain("defaults of resource type "+quote(t.Name), t.Defaults)
	}
	for _, r := range l.p.Resources {
		l.plain("source of resource "+quote(r.Name), r.Source)
		if r.WebhookToken != "" && !HasRef(r.WebhookToken) {
			l.errorf(r.Line, "plain-secret", "write a ((reference)) and replace the token", "webhook_token of resource %s is in plain text", quote(r.Name))
		}
	}
	for _, v := range l.p.VarSources {
		if v.Type != "dummy" {
			l.plain("config of var source "+quote(v.Name), v.Config)
		}
	}
	for _, s := range l.p.AllSteps() {
		l.stepSecrets(s)
	}
}

func (l *linter) stepSecrets(s Step) {
	what := string(s.Kind) + " " + quote(s.Name())
	switch s.Kind {
	case KindGet:
		l.plain("params of "+what, s.Get.Params)
	case KindPut:
		l.plain("params of "+what, s.Put.Params)
		l.plain("get_params of "+what, s.Put.GetParams)
	case KindTask:
		l.plain("params of "+what, s.Task.Params)
		l.plain("vars of "+what, s.Task.Vars)
		if c := s.Task.Config; c != nil {
			l.plain("params of "+what, c.Params)
			if c.ImageResource != nil {
				l.plain("image of "+what, c.ImageResource.Source)
			}
			l.plainTexts(what, c.Run)
		}
	case KindSetPipeline:
		l.plain("vars of "+what, s.SetPipeline.Vars)
		l.plain("instance_vars of "+what, s.SetPipeline.InstanceVars)
	default:
	}
}

// plain looks for secrets by the names of keys and by the looks of values.
func (l *linter) plain(what string, v Value) {
	for _, f := range v.Fields() {
		text, isText := f.Value.Text()
		switch {
		case isText && !HasRef(text) && text != "" && (secretName(f.Name) && !standsForSecret(text) || secretLooks(text)):
			l.errorf(f.Line, "plain-secret", "write a ((reference)) and replace the secret, since the file may have been seen", "%s of %s is a secret in plain text", quote(f.Name), what)
		default:
			l.plain(what, f.Value)
		}
	}
	for _, item := range v.Items() {
		if text, ok := item.Text(); ok && secretLooks(text) && !HasRef(text) {
			l.errorf(item.Line(), "plain-secret", "write a ((reference)) and replace the secret, since the file may have been seen", "%s holds a secret in plain text", what)
		}
		l.plain(what, item)
	}
}

func (l *linter) plainTexts(what string, run Run) {
	for _, arg := range run.Args {
		if secretLooks(arg) {
			l.errorf(run.Line, "plain-secret", "hand it over in params as a ((reference)) and replace the secret", "the command of %s holds a secret in plain text", what)
		}
	}
}

// standsForSecret reports whether a text is not itself a secret, whatever its key is called: the absolute
// path of a file that holds it, an operator of another tool that fills it in, like (( grab x )), or the word
// that GitHub takes as the password of a user name that is the token.
func standsForSecret(text string) bool {
	return text == "x-oauth-basic" || secretPath().MatchString(text) || strings.HasPrefix(text, "(( ") && strings.HasSuffix(text, " ))")
}

// secretPath is an absolute path of at least two parts, or one below the current folder or home.
var secretPath = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(~|\.{1,2}|/[\w.-]+)(/[\w.-]+)+$`) })

// secretName goes by the last word of a key: github_token is one, token_url and access_key_id are none.
func secretName(key string) bool { return secretKey().MatchString(key) }

var (
	secretKey = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)(^|[_\-.])(password|passwd|passphrase|secret|token|private_key|secret_key|secret_access_key|api_key|credentials|kubeconfig|app_private_key)$`)
	})
	// tokens begin in a way of their own for exactly this purpose.
	secretText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}|` +
			`\bglpat-[\w-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w{8,}`)
	})
	// urlPassword is the password of a URL.
	urlPassword = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z+]+://[^/@:\s]*:([^/@\s]+)@`) })
)

// secretLooks recognises what services give out: key blocks, and tokens that begin in a way of their own.
func secretLooks(text string) bool {
	if secretText().MatchString(text) {
		return true
	}
	m := urlPassword().FindStringSubmatch(text)
	return len(m) > 1 && !strings.Contains(m[1], "((") && !strings.HasPrefix(m[1], "$")
}
