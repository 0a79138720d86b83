// Package threeway merges two changed versions of a text line by line, as git does.
//
// [Merge] compares base with ours and with theirs, and takes the changes of both. Changes that touch
// the same lines, or lines next to each other, are a conflict unless they are identical. The result
// is that of git's default merge strategy: lines are compared by the histogram algorithm, groups of
// changed lines that can slide are aligned as git aligns them, and identical changes count once.
//
// Two things differ. Regions in which every common line occurs more than 64 times are compared by
// Myers' algorithm in its plain form; git shortens that comparison by heuristics, so the choice
// among equally short differences may be another one. Attributes (.gitattributes) have no effect, as
// at GitHub.
//
// The algorithms: Myers, "An O(ND) Difference Algorithm and Its Variations", 1986; the histogram
// difference is described in JGit's HistogramDiff.
package threeway
