package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
)

// Mailbox stands in for a resource type that only takes messages, such as a
// chat notification: every put is kept and nothing leaves the machine.
type Mailbox struct {
	mu       sync.Mutex
	messages []Message
}

// Message is what one put was asked to send.
type Message struct {
	Params map[string]any
	// Env are the build's variables.
	Env []string
}

// Run keeps the params of a put; a check finds nothing.
func (m *Mailbox) Run(_ context.Context, c Call) ([]byte, error) {
	var req struct {
		Version Version        `json:"version"`
		Params  map[string]any `json:"params"`
	}
	if err := decodeOne(c.Request, &req); err != nil {
		return nil, err
	}
	switch c.Verb {
	case Check:
		return []byte("[]"), nil
	case In:
		return json.Marshal(answer{Version: req.Version})
	case Out:
		return json.Marshal(answer{Version: Version{"message": strconv.Itoa(m.add(Message{req.Params, c.Env}))}})
	default:
		return nil, fmt.Errorf("there is no verb %q", c.Verb)
	}
}

func (m *Mailbox) add(msg Message) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages = append(m.messages, msg)
	return len(m.messages)
}

// Messages are those that were put so far, oldest first.
func (m *Mailbox) Messages() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Message(nil), m.messages...)
}
