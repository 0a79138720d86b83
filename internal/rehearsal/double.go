package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Mailbox stands in for a resource type that only takes messages, such as a
// chat notification: every put is kept and nothing leaves the machine. As those
// types do, it fills $BUILD_ID and the like in.
type Mailbox struct {
	mu       sync.Mutex
	messages []Message
}

// Message is what one put was asked to send.
type Message struct{ Params map[string]any }

// Text is the param of that name, which most of these types have.
func (m Message) Text() string {
	text, _ := m.Params["text"].(string)
	return text
}

// filledFrom replaces $NAME in all texts by the variables of env that there are.
func filledFrom(env []string, data any) any {
	switch v := data.(type) {
	case string:
		return os.Expand(v, func(name string) string {
			for _, pair := range env {
				if value, ok := strings.CutPrefix(pair, name+"="); ok {
					return value
				}
			}
			return "$" + name
		})
	case []any:
		for i := range v {
			v[i] = filledFrom(env, v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = filledFrom(env, v[key])
		}
	}
	return data
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
		return json.Marshal(answer{Version: Version{"message": strconv.Itoa(m.add(c.Env, req.Params))}})
	default:
		return nil, fmt.Errorf("there is no verb %q", c.Verb)
	}
}

func (m *Mailbox) add(env []string, params map[string]any) int {
	filledFrom(env, params)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages = append(m.messages, Message{params})
	return len(m.messages)
}

// Messages are those that were put so far, oldest first.
func (m *Mailbox) Messages() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Message(nil), m.messages...)
}
