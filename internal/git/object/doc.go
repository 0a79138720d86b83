// Package object is git's data model: commits, trees, tags, the names of refs and
// paths, the order of trees, and the errors of git repositories. It turns bytes into
// values and back, and reads or writes nothing.
package object
