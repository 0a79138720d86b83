package deployments

import (
	"context"
	"maps"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// oneLook answers each question for a ref by what it was at the first look, as a step sees the repository at one moment.
// The first look takes in what the source names, so that mostly there is no other.
type oneLook struct {
	RefReader
	first []string
	asked map[string]bool
	seen  map[string]git.Hash
}

// OneLook is a remote that was looked at already: refs are what it said of these names, and there is no second question for them.
func OneLook(remote RefReader, names []string, refs Refs) RefReader {
	o := &oneLook{RefReader: remote, asked: map[string]bool{}, seen: map[string]git.Hash{}}
	maps.Copy(o.seen, refs)
	for _, name := range names {
		o.asked[name] = true
	}
	return o
}

// Refs gives the refs of these names, with peeled tags under name^{}.
func (o *oneLook) Refs(ctx context.Context, names ...string) (map[string]git.Hash, error) {
	look := slices.Clone(names)
	if o.asked == nil {
		o.asked, o.seen = map[string]bool{}, map[string]git.Hash{}
		look = append(look, o.first...)
	}
	slices.Sort(look)
	missing := slices.DeleteFunc(slices.Compact(look), func(name string) bool { return o.asked[name] })
	if len(missing) > 0 {
		refs, err := o.RefReader.Refs(ctx, missing...)
		if err != nil {
			return nil, err
		}
		maps.Copy(o.seen, refs)
		for _, name := range missing {
			o.asked[name] = true
		}
	}
	answer := map[string]git.Hash{}
	for _, name := range names {
		for _, key := range []string{name, name + "^{}"} {
			if h, ok := o.seen[key]; ok {
				answer[key] = h
			}
		}
	}
	return answer, nil
}
