package pipelines

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

type object = map[string]any

// cluster stands in for a Kubernetes API: it has what helm asks for, and completes every Job that is not annotated
// "stuck". It validates nothing and runs nothing.
type cluster struct {
	server *httptest.Server

	mutex   sync.Mutex
	changed *sync.Cond
	objects map[string]object // by path, for example /api/v1/namespaces/apps/secrets/x
	events  []clusterEvent
	asked   []string // requests that it has no answer for
}

type clusterEvent struct {
	path string
	kind string
	what object
}

// clusterKinds are the kinds that the cluster has, by group and version.
func clusterKinds() map[string][]object {
	kind := func(kind, plural string, namespaced bool) object {
		verbs := []string{"create", "delete", "get", "list", "patch", "update", "watch"}
		return object{"name": plural, "singularName": strings.ToLower(kind), "kind": kind, "namespaced": namespaced, "verbs": verbs}
	}
	return map[string][]object{
		"v1":                           {kind("Namespace", "namespaces", false), kind("Secret", "secrets", true), kind("ConfigMap", "configmaps", true), kind("Pod", "pods", true)},
		"batch/v1":                     {kind("Job", "jobs", true)},
		"rbac.authorization.k8s.io/v1": {kind("ClusterRole", "clusterroles", false)},
	}
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{objects: map[string]object{}}
	c.changed = sync.NewCond(&c.mutex)
	c.server = httptest.NewServer(c)
	t.Cleanup(func() {
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c
}

// kubeconfig is the way to the cluster.
func (c *cluster) kubeconfig() string {
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "x", "clusters": [{"name": "x", "cluster": {"server": %q}}],
"users": [{"name": "x", "user": {}}], "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}`, c.server.URL)
}

// names are the paths of all objects of a kind, sorted.
func (c *cluster) names(plural string) []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var found []string
	for _, at := range slices.Sorted(maps.Keys(c.objects)) {
		if path.Base(path.Dir(at)) == plural {
			found = append(found, at)
		}
	}
	return found
}

func (c *cluster) get(at string) object {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.objects[at]
}

// forget removes one object.
func (c *cluster) forget(at string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.remove(at)
}

func (c *cluster) makeNamespace(name string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.keep("/api/v1/namespaces/"+name, object{"kind": "Namespace", "apiVersion": "v1", "metadata": object{"name": name}})
}

// destroy removes a namespace and what is in it, as the cluster does in the end.
func (c *cluster) destroy(namespace string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for at := range c.objects {
		if strings.Contains(at+"/", "/namespaces/"+namespace+"/") {
			c.remove(at)
		}
	}
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if found := c.discovery(r.URL.Path); found != nil {
		reply(w, http.StatusOK, found)
		return
	}
	_, plural, name, ok := c.place(r.URL.Path)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch {
	case !ok:
		c.asked = append(c.asked, r.Method+" "+r.URL.String())
		refuse(w, http.StatusNotFound, "NotFound")
	case r.URL.Query().Get("watch") != "" && r.URL.Query().Get("sendInitialEvents") != "":
		refuse(w, http.StatusUnprocessableEntity, "Invalid")
	case r.URL.Query().Get("watch") != "":
		c.watch(w, r, plural)
	case r.Method == http.MethodGet && name == "":
		reply(w, http.StatusOK, c.list(r, plural))
	case r.Method == http.MethodPost:
		c.write(w, r.URL.Path, body, r, true)
	default:
		c.one(w, r, body)
	}
}

// one answers about one object.
func (c *cluster) one(w http.ResponseWriter, r *http.Request, body []byte) {
	at := r.URL.Path
	found, ok := c.objects[at]
	switch {
	case r.Method == http.MethodPut, r.Method == http.MethodPatch && strings.Contains(r.Header.Get("Content-Type"), "apply"):
		c.write(w, path.Dir(at), body, r, false)
	case !ok:
		refuse(w, http.StatusNotFound, "NotFound")
	case r.Method == http.MethodPatch:
		patch, err := decode(body)
		if err != nil {
			refuse(w, http.StatusBadRequest, "BadRequest")
			return
		}
		reply(w, http.StatusOK, c.keep(at, merged(found, patch)))
	case r.Method == http.MethodDelete:
		c.remove(at)
		reply(w, http.StatusOK, object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	default:
		reply(w, http.StatusOK, found)
	}
}

func (c *cluster) write(w http.ResponseWriter, folder string, body []byte, r *http.Request, create bool) {
	o, err := decode(body)
	if err != nil {
		refuse(w, http.StatusUnsupportedMediaType, "UnsupportedMediaType")
		return
	}
	meta, _ := o["metadata"].(object)
	name, _ := meta["name"].(string)
	at := folder + "/" + name
	old, there := c.objects[at]
	if there && create {
		refuse(w, http.StatusConflict, "AlreadyExists")
		return
	}
	if r.URL.Query().Get("dryRun") != "" {
		reply(w, http.StatusOK, o)
		return
	}
	if there && r.Method == http.MethodPatch {
		o = merged(old, o)
	}
	reply(w, http.StatusOK, c.keep(at, o))
}

// keep stores an object and does a Job's work.
func (c *cluster) keep(at string, o object) object {
	meta, _ := o["metadata"].(object)
	kind := "MODIFIED"
	if _, there := c.objects[at]; !there {
		kind = "ADDED"
		meta["uid"] = at
	}
	if namespace := path.Base(path.Dir(path.Dir(at))); path.Base(path.Dir(path.Dir(path.Dir(at)))) == "namespaces" {
		meta["namespace"] = namespace
	}
	meta["resourceVersion"] = strconv.Itoa(len(c.events) + 1)
	meta["creationTimestamp"] = "2026-11-28T12:00:00Z"
	annotations, _ := meta["annotations"].(object)
	if spec, ok := o["spec"].(object); ok && o["kind"] == "Job" {
		o["spec"] = merged(object{"completions": 1, "parallelism": 1, "backoffLimit": 6}, spec)
	}
	if o["kind"] == "Job" && annotations["stuck"] == nil {
		o["status"] = object{
			"startTime": "2026-11-28T12:00:00Z", "completionTime": "2026-11-28T12:00:01Z", "succeeded": 1,
			"conditions": []object{{"type": "Complete", "status": "True"}},
		}
	} else if o["kind"] == "Job" {
		o["status"] = object{"startTime": "2026-11-28T12:00:00Z", "active": 1}
	}
	if o["kind"] == "Namespace" {
		o["status"] = object{"phase": "Active"}
	}
	c.objects[at] = o
	c.tell(clusterEvent{at, kind, o})
	return o
}

func (c *cluster) remove(at string) {
	c.tell(clusterEvent{at, "DELETED", c.objects[at]})
	delete(c.objects, at)
}

func (c *cluster) tell(e clusterEvent) {
	c.events = append(c.events, e)
	c.changed.Broadcast()
}

func (c *cluster) list(r *http.Request, plural string) object {
	items := []object{}
	for _, at := range slices.Sorted(maps.Keys(c.objects)) {
		if c.selected(r, at, c.objects[at], plural) {
			items = append(items, c.objects[at])
		}
	}
	group, kind := c.kindOf(plural)
	return object{
		"kind": kind + "List", "apiVersion": group, "items": items, "metadata": object{"resourceVersion": strconv.Itoa(len(c.events))},
	}
}

// selected tells whether a list or watch is about the object.
func (c *cluster) selected(r *http.Request, at string, o object, plural string) bool {
	if path.Base(path.Dir(at)) != plural || !strings.HasPrefix(at, strings.TrimSuffix(r.URL.Path, "/"+plural)) {
		return false
	}
	meta, _ := o["metadata"].(object)
	labels, _ := meta["labels"].(object)
	for selector := range strings.SplitSeq(r.URL.Query().Get("labelSelector"), ",") {
		if key, value, ok := strings.Cut(selector, "="); ok && labels[key] != strings.TrimPrefix(value, "=") {
			return false
		}
	}
	name, one := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	return !one || meta["name"] == name
}

// watch sends what changes, until the caller goes.
func (c *cluster) watch(w http.ResponseWriter, r *http.Request, plural string) {
	next, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("resourceVersion"), "0"))
	stop := false
	go func() {
		<-r.Context().Done()
		c.mutex.Lock()
		defer c.mutex.Unlock()
		stop = true
		c.changed.Broadcast()
	}()
	w.Header().Set("Content-Type", "application/json")
	for !stop {
		for ; next < len(c.events); next++ {
			if e := c.events[next]; c.selected(r, e.path, e.what, plural) {
				_ = json.NewEncoder(w).Encode(object{"type": e.kind, "object": e.what}) //nolint:errchkjson // a client that left needs no answer
			}
		}
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		c.changed.Wait()
	}
}

// discovery says which kinds there are.
func (c *cluster) discovery(at string) object {
	switch at {
	case "/version":
		return object{"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
	case "/api":
		return object{"kind": "APIVersions", "versions": []string{"v1"}}
	case "/apis":
		var groups []object
		for _, gv := range slices.Sorted(maps.Keys(clusterKinds())) {
			if group, version, ok := strings.Cut(gv, "/"); ok {
				v := object{"groupVersion": gv, "version": version}
				groups = append(groups, object{"name": group, "versions": []object{v}, "preferredVersion": v})
			}
		}
		return object{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
	}
	if description := describe(at); description != nil {
		return description
	}
	for gv, kinds := range clusterKinds() {
		if strings.TrimPrefix(strings.TrimPrefix(at, "/apis/"), "/api/") == gv {
			return object{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": gv, "resources": kinds}
		}
	}
	return nil
}

// describe says in OpenAPI that the cluster checks fields itself, which keeps helm from doing it.
func describe(at string) object {
	versions := object{}
	for gv, kinds := range clusterKinds() {
		place := "apis/" + gv
		if !strings.Contains(gv, "/") {
			place = "api/" + gv
		}
		versions[place] = object{"serverRelativeURL": "/openapi/v3/" + place}
		if at != "/openapi/v3/"+place {
			continue
		}
		group, version, ok := strings.Cut(gv, "/")
		if !ok {
			group, version = "", gv
		}
		paths := object{}
		for _, k := range kinds {
			paths[fmt.Sprintf("/%s/{name}", k["name"])] = object{"patch": object{
				"parameters":                      []object{{"name": "fieldValidation", "in": "query"}},
				"x-kubernetes-group-version-kind": object{"group": group, "version": version, "kind": k["kind"]},
				"responses":                       object{"200": object{"description": "OK"}},
			}}
		}
		return object{"openapi": "3.0.0", "info": object{"title": "x", "version": "x"}, "paths": paths}
	}
	if at == "/openapi/v3" {
		return object{"paths": versions}
	}
	return nil
}

func (c *cluster) kindOf(plural string) (group, kind string) {
	for gv, kinds := range clusterKinds() {
		for _, k := range kinds {
			if k["name"] == plural {
				kind, _ = k["kind"].(string)
				return gv, kind
			}
		}
	}
	return "", ""
}

// place takes a path apart: its folder, the plural and the name of an object, if it names one.
func (c *cluster) place(at string) (folder, plural, name string, ok bool) {
	if _, kind := c.kindOf(path.Base(at)); kind != "" {
		return path.Dir(at), path.Base(at), "", true
	}
	_, kind := c.kindOf(path.Base(path.Dir(at)))
	return path.Dir(path.Dir(at)), path.Base(path.Dir(at)), path.Base(at), kind != ""
}

// merged is a JSON merge patch.
func merged(into, patch object) object {
	out := maps.Clone(into)
	for key, value := range patch {
		inner, isObject := value.(object)
		old, wasObject := out[key].(object)
		switch {
		case value == nil:
			delete(out, key)
		case isObject && wasObject:
			out[key] = merged(old, inner)
		default:
			out[key] = value
		}
	}
	return out
}

func reply(w http.ResponseWriter, status int, what object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) //nolint:errchkjson // a client that left needs no answer
}

func refuse(w http.ResponseWriter, status int, reason string) {
	reply(w, status, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status, "message": reason})
}

// decode reads an object as clients send them: JSON, YAML, or, of Secrets and Namespaces, protocol buffers.
func decode(body []byte) (object, error) {
	raw, ok := bytes.CutPrefix(body, []byte("k8s\x00"))
	if !ok {
		var o object
		err := yaml.Unmarshal(body, &o)
		return o, err
	}
	unknown := fields(raw)
	kind := fields(first(unknown[1]))
	o := fields(first(unknown[2]))
	meta := fields(first(o[1]))
	data := object{}
	for key, value := range pairs(o[2]) {
		data[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	labels := object{}
	for key, value := range pairs(meta[11]) {
		labels[key] = value
	}
	return object{
		"apiVersion": string(first(kind[1])), "kind": string(first(kind[2])), "data": data, "type": string(first(o[3])),
		"metadata": object{"name": string(first(meta[1])), "namespace": string(first(meta[3])), "labels": labels},
	}, nil
}

// fields are the byte fields of a protocol buffer, by number.
func fields(message []byte) map[uint64][][]byte {
	found := map[uint64][][]byte{}
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		value, m := binary.Uvarint(message[n:])
		message = message[n+m:]
		if tag&7 == 2 {
			found[tag>>3] = append(found[tag>>3], message[:value])
			message = message[value:]
		}
	}
	return found
}

func pairs(entries [][]byte) map[string]string {
	found := map[string]string{}
	for _, entry := range entries {
		pair := fields(entry)
		found[string(first(pair[1]))] = string(first(pair[2]))
	}
	return found
}

func first(values [][]byte) []byte {
	if len(values) == 0 {
		return nil
	}
	return values[0]
}
