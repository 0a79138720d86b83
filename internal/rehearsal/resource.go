package rehearsal

import (
	"fmt"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// history are the versions of a resource, oldest first. It outlives the pipeline that has the resource.
type history struct {
	versions []Version
}

// resource is what is known of one resource.
type resource struct {
	*history
	config   pipeline.Resource
	typ      Type
	source   pipeline.Value // of the pipeline, references and all
	defaults pipeline.Value
	temp     string // of its check container
	pin      map[string]string
	input    bool // some job gets it
	said     *Log // of the last check
	stamp    string
	err      error
}

// saveChecked keeps what a check found, the way Concourse does: when any of the
// versions is new, all of them move to the end, in their order; when all are
// known, nothing moves. So a version that was seen before never becomes the
// latest again on its own.
func (h *history) saveChecked(found []Version) (fresh []Version) {
	for _, v := range found {
		if h.index(v) < 0 {
			fresh = append(fresh, v)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	for _, v := range found {
		if i := h.index(v); i >= 0 {
			h.versions = slices.Delete(h.versions, i, i+1)
		}
		h.versions = append(h.versions, v)
	}
	return fresh
}

// index is where the version stands, -1 when it was never seen.
func (h *history) index(v Version) int {
	k := v.key()
	return slices.IndexFunc(h.versions, func(have Version) bool { return have.key() == k })
}

// find is the newest version that a pin describes.
func (h *history) find(pin map[string]string) (Version, bool) {
	for _, v := range slices.Backward(h.versions) {
		if v.has(pin) {
			return v, true
		}
	}
	return nil, false
}

// from is the version that a check is given: the pinned one, else the latest.
func (r *resource) from() Version {
	if r.pin != nil {
		v, _ := r.find(r.pin)
		return v
	}
	if len(r.versions) == 0 {
		return nil
	}
	return r.versions[len(r.versions)-1]
}

// setPin holds the resource at a version that it has had.
func (r *resource) setPin(pin map[string]string) error {
	if _, ok := r.find(pin); !ok {
		return fmt.Errorf("pin %s to %s: it never had such a version", r.config.Name, Version(pin))
	}
	r.pin = pin
	return nil
}
