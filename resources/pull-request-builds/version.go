package pullrequestbuilds

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Version is a commit of a pull request to be built.
type Version struct {
	// PR is the pull request's number.
	PR string `json:"pr" concourse:"required"`
	// Commit is its newest one at that time.
	Commit string `json:"commit" concourse:"required"`
	// Base is the newest commit of the base branch at that time. It is empty for the integration tool
	// checkout and in versions of before there were others.
	Base string `json:"base,omitempty"`
	// Again is when all pull requests were last asked to be built again; empty
	// for never.
	Again string `json:"again,omitempty"`
	// Open is what has been offered by now: number@commit of every open pull
	// request, or number@commit+base. The next check offers what is not in it, so that neither the dates
	// of commits nor the order of pushes matter.
	Open string `json:"open"`
	// Serial counts the versions, since what is open may be again what it was:
	// Concourse builds no version that it has seen before.
	Serial string `json:"serial,omitempty"`
}

// offered reads Open; what can't be read has not been offered.
func (v Version) offered() map[string]string {
	open := map[string]string{}
	for entry := range strings.FieldsSeq(v.Open) {
		if number, commit, ok := strings.Cut(entry, "@"); ok && len(commit) >= shortHash {
			open[number] = commit
		}
	}
	return open
}

// serial is 0 for what has none.
func (v Version) serial() uint64 {
	n, err := strconv.ParseUint(v.Serial, 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// shortHash is how much of a commit tells it from the others of its pull request.
const shortHash = 10

func short(commit string) string { return commit[:min(shortHash, len(commit))] }

// offer is a pull request as it is now. The base is empty where it does not count.
type offer struct {
	number       int
	commit, base string
	url          string // of its page
}

// key is what Version.Open has of an offer.
func (o offer) key() string {
	if o.base == "" {
		return short(o.commit)
	}
	return short(o.commit) + "+" + short(o.base)
}

// since is from, and a version for each pull request that was not offered as it is now. A nil from
// offers all.
func since(from *Version, offers []offer) []Version {
	var versions []Version
	offered, again, serial := map[string]string{}, "", uint64(0)
	if from != nil && from.Commit != "" {
		versions = append(versions, *from)
		offered, again, serial = from.offered(), from.Again, from.serial()
	}
	before := maps.Clone(offered)
	maps.DeleteFunc(offered, func(number, _ string) bool {
		return !slices.ContainsFunc(offers, func(o offer) bool { return strconv.Itoa(o.number) == number })
	})
	for _, o := range offers {
		number := strconv.Itoa(o.number)
		if before[number] == o.key() {
			continue
		}
		offered[number] = o.key()
		serial++
		versions = append(versions, Version{
			PR: number, Commit: o.commit, Base: o.base, Again: again, Open: written(offered), Serial: strconv.FormatUint(serial, 10),
		})
	}
	return versions
}

func written(offered map[string]string) string {
	entries := make([]string, 0, len(offered))
	for _, number := range slices.SortedFunc(maps.Keys(offered), byNumber) {
		entries = append(entries, fmt.Sprintf("%s@%s", number, offered[number]))
	}
	return strings.Join(entries, " ")
}

// byNumber sorts decimal numbers.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
