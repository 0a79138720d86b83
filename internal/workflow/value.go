package workflow

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Value is what an expression comes to.
type Value struct {
	// Data is nil, a bool, a float64, a string, a []any, a map[string]any, or an Open or Members mapping.
	Data any
	// Unknown says that it depends on what is not known here. Data then means nothing.
	Unknown bool
	// Secret says that it may have a secret in it.
	Secret bool
}

// open is a mapping that has more than is known of it.
type open map[string]any

// Members is a mapping whose members are made when they are asked for.
type Members func(key string) Value

// truth is what a condition makes of a value.
type truth int

const (
	no truth = iota
	yes
	perhaps
)

// True reports whether a condition that comes to this value holds for certain.
func (v Value) True() bool { return v.truth() == yes }

func (v Value) truth() truth {
	switch d := v.Data.(type) {
	case nil:
		if v.Unknown {
			return perhaps
		}
		return no
	case bool:
		return of(d)
	case string:
		return of(d != "")
	case float64:
		return of(d != 0 && !math.IsNaN(d))
	}
	return yes
}

func of(b bool) truth {
	if b {
		return yes
	}
	return no
}

// Text is the value as it stands in a text.
func (v Value) Text() string {
	switch d := v.Data.(type) {
	case nil:
		return ""
	case string:
		return d
	case bool:
		return strconv.FormatBool(d)
	case float64:
		return strconv.FormatFloat(d, 'g', 15, 64)
	}
	return fmt.Sprintf("%T", v.Data)
}

// member is a key of a mapping, without regard to case, or of each element of a list.
func (v Value) member(key string) Value {
	if v.Unknown {
		return v
	}
	switch d := v.Data.(type) {
	case map[string]any:
		return Value{Data: find(d, key), Secret: v.Secret}
	case open:
		if found := find(d, key); found != nil {
			return Value{Data: found, Secret: v.Secret}
		}
		return Value{Unknown: true, Secret: v.Secret}
	case Members:
		return d(key)
	case []any:
		var all []any
		for _, one := range d {
			all = append(all, Value{Data: one}.member(key).Data)
		}
		return Value{Data: all, Secret: v.Secret}
	}
	return Value{Secret: v.Secret}
}

func find(m map[string]any, key string) any {
	for name, value := range m {
		if strings.EqualFold(name, key) {
			return value
		}
	}
	return nil
}

// every is what .* makes of a mapping or a list.
func (v Value) every() Value {
	var all []any
	switch d := v.Data.(type) {
	case []any:
		all = d
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(d)) {
			all = append(all, d[key])
		}
	case open:
		v.Unknown = true
	}
	return Value{Data: all, Unknown: v.Unknown, Secret: v.Secret}
}

// both is a && b. Where a is unknown and b is empty, the result is empty one way or another.
func both(a, b Value) Value {
	switch a.truth() {
	case no:
		return a
	case yes:
		return b
	case perhaps:
	}
	if b.truth() == no {
		return b
	}
	return Value{Unknown: true, Secret: b.Secret} // a is only the result where it is empty
}

// either is a || b.
func either(a, b Value) Value {
	switch a.truth() {
	case no:
		return b
	case yes:
		return a
	case perhaps:
	}
	return Value{Unknown: true, Secret: a.Secret || b.Secret}
}

// compare is a comparison; texts are compared without regard to case, other types as numbers.
func compare(op string, a, b Value) Value {
	if a.Unknown || b.Unknown {
		return Value{Unknown: true}
	}
	var order int
	x, text := a.Data.(string)
	y, also := b.Data.(string)
	if text && also {
		order = strings.Compare(strings.ToLower(x), strings.ToLower(y))
	} else {
		n, m := number(a.Data), number(b.Data)
		if math.IsNaN(n) || math.IsNaN(m) {
			return Value{Data: op == "!="}
		}
		order = int(math.Copysign(1, n-m))
		if n == m {
			order = 0
		}
	}
	return Value{Data: map[string]bool{"==": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[op]}
}

func number(data any) float64 {
	switch d := data.(type) {
	case nil:
		return 0
	case bool:
		if d {
			return 1
		}
		return 0
	case float64:
		return d
	case string:
		if strings.TrimSpace(d) == "" {
			return 0
		}
		if n, err := strconv.ParseFloat(strings.TrimSpace(d), 64); err == nil {
			return n
		}
	}
	return math.NaN()
}
