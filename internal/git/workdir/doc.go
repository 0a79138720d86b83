// Package workdir writes files of a commit into a folder, and a small .git that lets
// git work there.
package workdir
