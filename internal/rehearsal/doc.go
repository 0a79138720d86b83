// Package rehearsal runs a Concourse pipeline on this machine: the real resource
// programs, the real task scripts, one build at a time, against repositories
// and tools that stand in for those the pipeline names.
//
// It is a rehearsal and no CI server: nothing is kept, tasks run on this
// machine instead of in their images, and time only passes when somebody acts.
// What a plan means is taken from Concourse: which versions a job gets (checks
// in order, passed, every, pinned), when it triggers, how steps and their hooks
// end. Sources of those rules: https://concourse-ci.org/docs/jobs/,
// https://concourse-ci.org/docs/steps/ and the server's atc/exec and
// atc/scheduler packages. A step of an unknown kind is an error, never skipped.
//
// A Rehearsal is driven by acts: change the world outside, then Settle until
// the pipeline has come to rest. What happens is told to an Observer.
package rehearsal
