// Package peertest holds cepler-in and cepler-out against the Rust cepler
// whose repositories they go on with: random histories, and after each step
// both programs are asked the same question.
//
// It is a test only, and is skipped where no cepler is on PATH:
//
//	go test ./internal/deployments/peertest -args -peer.seeds 300
//	go test ./internal/deployments/peertest -args -peer.first 17 -peer.seeds 1 -peer.trace
//
// A history is a function of its seed. Differences that are deliberate have a
// class with a name, listed in classes and, in the same words, in the READMEs; each can be kept out of the histories
// (-peer.without) or be made a failure (-peer.refuse). Everything else that
// differs fails the test.
package peertest
