// Package wire is git's protocol as bytes: pkt-lines, the greeting of a server, the
// requests for refs, objects and updates, and their answers. It opens no connection
// and knows no address. See gitprotocol-common(5), gitprotocol-v2(5) and, for servers
// without version 2 and for pushing, gitprotocol-pack(5).
package wire
