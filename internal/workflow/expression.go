package workflow

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Scope is what an expression is evaluated in.
type Scope struct {
	// Context is a context by its name, such as github.
	Context func(name string) Value
	// Status is what the status functions say: success, failure, cancelled.
	Status func(name string) Value
}

// maxExpression is more than GitHub takes, and keeps the depth of brackets small.
const maxExpression = 21_000

// Evaluate evaluates the text of an expression, which stands between ${{ and }}.
func Evaluate(text string, in Scope) (Value, error) {
	words, err := split(text)
	if err != nil {
		return Value{}, fmt.Errorf("expression %q: %w", text, err)
	}
	p := &evaluation{words: words, in: in}
	v, err := p.or()
	if err == nil && p.at < len(p.words) {
		err = fmt.Errorf("%q is left", p.words[p.at])
	}
	if err != nil {
		return Value{}, fmt.Errorf("expression %q: %w", text, err)
	}
	return v, nil
}

// Interpolate replaces the expressions in a text. Where one comes to something unknown, the result is unknown.
func Interpolate(text string, in Scope) (Value, error) {
	var out strings.Builder
	all := Value{}
	for {
		before, rest, found := strings.Cut(text, "${{")
		out.WriteString(before)
		if !found {
			all.Data = out.String()
			return all, nil
		}
		inner, after, closed := cutEnd(rest)
		if !closed {
			return Value{}, fmt.Errorf("%q: an expression has no end", text)
		}
		v, err := Evaluate(inner, in)
		if err != nil {
			return Value{}, err
		}
		all.Unknown, all.Secret = all.Unknown || v.Unknown, all.Secret || v.Secret
		out.WriteString(v.Text())
		text = after
	}
}

// cutEnd cuts at the }} that is in no quotes.
func cutEnd(text string) (inner, after string, found bool) {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '\'':
			quoted = !quoted
		case !quoted && strings.HasPrefix(text[i:], "}}"):
			return text[:i], text[i+2:], true
		}
	}
	return "", "", false
}

// Condition evaluates an if. One that names no status function also asks that nothing has failed.
func Condition(text string, in Scope) (Value, error) {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "${{"); ok {
		text = strings.TrimSuffix(inner, "}}")
	}
	if text == "" {
		return in.Status("success"), nil
	}
	v, err := Evaluate(text, in)
	if err != nil || regexp.MustCompile(`\b(always|success|failure|cancelled)\s*\(`).MatchString(text) {
		return v, err
	}
	return both(in.Status("success"), v), nil
}

var word = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:'(?:[^']|'')*'|[A-Za-z_][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)?|&&|\|\||[=!<>]=|[!<>().,*\[\]])`)
})

func split(text string) ([]string, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("it is longer than %d characters", maxExpression)
	}
	var words []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		w := word().FindString(text)
		if w == "" {
			return nil, fmt.Errorf("%q is not part of an expression", text)
		}
		words, text = append(words, w), text[len(w):]
	}
	return words, nil
}

// evaluation reads and evaluates at once: an expression has no effects.
type evaluation struct {
	words []string
	at    int
	in    Scope
}

func (p *evaluation) next(words ...string) (string, bool) {
	if p.at < len(p.words) && slices.Contains(words, p.words[p.at]) {
		p.at++
		return p.words[p.at-1], true
	}
	return "", false
}

func (p *evaluation) or() (Value, error)  { return p.chain("||", p.and, either) }
func (p *evaluation) and() (Value, error) { return p.chain("&&", p.comparison, both) }

func (p *evaluation) chain(op string, operand func() (Value, error), join func(a, b Value) Value) (Value, error) {
	v, err := operand()
	for err == nil {
		if _, ok := p.next(op); !ok {
			break
		}
		var right Value
		right, err = operand()
		v = join(v, right)
	}
	return v, err
}

func (p *evaluation) comparison() (Value, error) {
	v, err := p.unary()
	for err == nil {
		op, ok := p.next("==", "!=", "<", "<=", ">", ">=")
		if !ok {
			break
		}
		var right Value
		right, err = p.unary()
		v = compare(op, v, right)
	}
	return v, err
}

func (p *evaluation) unary() (Value, error) {
	if _, ok := p.next("!"); !ok {
		return p.postfix()
	}
	v, err := p.unary()
	if v.truth() == perhaps {
		return Value{Unknown: true}, err
	}
	return Value{Data: v.truth() == no}, err
}

// postfix is a value and what follows it: .key, .* or [expression].
func (p *evaluation) postfix() (Value, error) {
	v, err := p.primary()
	for err == nil {
		op, ok := p.next(".", "[")
		switch {
		case !ok:
			return v, nil
		case op == ".":
			if p.at >= len(p.words) {
				return v, errors.New("it ends with a dot")
			}
			key := p.words[p.at]
			p.at++
			switch {
			case key == "*":
				v = v.every()
			case !regexp.MustCompile(`^[A-Za-z_]`).MatchString(key):
				return v, fmt.Errorf("%q stands where a name should", key)
			default:
				v = v.member(key)
			}
		default:
			v, err = p.index(v)
		}
	}
	return v, err
}

func (p *evaluation) index(v Value) (Value, error) {
	i, err := p.or()
	if err != nil {
		return v, err
	}
	if _, ok := p.next("]"); !ok {
		return v, errors.New("a ] is missing")
	}
	if list, ok := v.Data.([]any); ok {
		if n, ok := i.Data.(float64); ok && n >= 0 && int(n) < len(list) {
			return Value{Data: list[int(n)], Secret: v.Secret}, nil
		}
		return Value{Unknown: i.Unknown, Secret: v.Secret}, nil
	}
	if i.Unknown {
		return Value{Unknown: true, Secret: v.Secret}, nil
	}
	return v.member(i.Text()), nil
}

func (p *evaluation) primary() (Value, error) {
	if p.at >= len(p.words) {
		return Value{}, errors.New("something is missing at its end")
	}
	w := p.words[p.at]
	p.at++
	switch {
	case w == "(":
		v, err := p.or()
		if _, ok := p.next(")"); !ok && err == nil {
			err = errors.New("a ) is missing")
		}
		return v, err
	case w[0] == '\'':
		return Value{Data: strings.ReplaceAll(w[1:len(w)-1], "''", "'")}, nil
	case w[0] >= '0' && w[0] <= '9':
		n, err := strconv.ParseFloat(w, 64)
		return Value{Data: n}, err
	case w == "true", w == "false":
		return Value{Data: w == "true"}, nil
	case w == "null":
		return Value{}, nil
	case !regexp.MustCompile(`^\w`).MatchString(w):
		return Value{}, fmt.Errorf("%q stands where a value should", w)
	}
	if _, ok := p.next("("); ok {
		return p.call(strings.ToLower(w))
	}
	return p.in.Context(strings.ToLower(w)), nil
}

func (p *evaluation) call(name string) (Value, error) {
	var args []Value
	for {
		if _, ok := p.next(")"); ok {
			return p.result(name, args)
		}
		v, err := p.or()
		if err != nil {
			return v, err
		}
		args = append(args, v)
		if _, ok := p.next(","); !ok && (p.at >= len(p.words) || p.words[p.at] != ")") {
			return v, fmt.Errorf("%s: a ) is missing", name)
		}
	}
}

// result is what a function makes of its arguments. What is not a status or a plain test of texts is not known here.
func (p *evaluation) result(name string, args []Value) (Value, error) {
	switch name {
	case "always":
		return Value{Data: true}, nil
	case "success", "failure", "cancelled":
		return p.in.Status(name), nil
	}
	unknown, secret := false, false
	for _, a := range args {
		unknown, secret = unknown || a.Unknown, secret || a.Secret
	}
	tests := map[string]func(a, b Value) bool{
		"contains":   contains,
		"startswith": func(a, b Value) bool { return strings.HasPrefix(strings.ToLower(a.Text()), strings.ToLower(b.Text())) },
		"endswith":   func(a, b Value) bool { return strings.HasSuffix(strings.ToLower(a.Text()), strings.ToLower(b.Text())) },
	}
	test, ok := tests[name]
	switch {
	case ok && len(args) != 2:
		return Value{}, fmt.Errorf("%s takes two arguments", name)
	case ok && !unknown:
		return Value{Data: test(args[0], args[1])}, nil
	case ok:
		return Value{Unknown: true}, nil
	}
	return Value{Unknown: true, Secret: secret}, nil
}

func contains(a, b Value) bool {
	if list, ok := a.Data.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return compare("==", Value{Data: one}, b).Data == true })
	}
	return strings.Contains(strings.ToLower(a.Text()), strings.ToLower(b.Text()))
}
