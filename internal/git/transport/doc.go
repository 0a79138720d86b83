// Package transport reaches a repository on another machine: over HTTP, SSH and
// git://, with the credentials and host keys of a source. A Client asks for refs and
// objects and updates refs, and hides which protocol the server speaks. It repeats
// nothing; IsTransient tells which errors may pass.
package transport
