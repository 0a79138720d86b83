// Package cepler is the model of promoting files through environments: the
// config, the state files, the choice of what an environment gets next, gates
// and promotion rules. It is pure: it reads no file, no repository and no
// clock, and commits and blobs are strings of 40 hex digits.
//
// Configs, state files and gates files are those of cepler 0.7
// (https://github.com/bodymindarts/cepler). What that program accepts is
// accepted with the same meaning, and a state is written byte for byte as it
// would write it. Where the model differs on purpose, the comment says so.
package cepler
