package rehearsal

import "github.com/taxiway-ci/taxiway/internal/pipeline"

// Refs are the references in the steps of a pipeline, as far as the file shows them: those to variables of the build included,
// those to the vars of a task left out.
func Refs(p *pipeline.Pipeline) []pipeline.Ref {
	var refs []pipeline.Ref
	for _, j := range p.Jobs {
		whole := j.Steps()
		refs = append(refs, refsOf(&whole)...)
	}
	return refs
}

func refsOf(s *pipeline.Step) []pipeline.Ref {
	var refs []pipeline.Ref
	switch {
	case s.Get != nil:
		refs = s.Get.Params.Refs()
	case s.Put != nil:
		refs = append(s.Put.Params.Refs(), s.Put.GetParams.Refs()...)
	case s.Task != nil:
		refs = taskRefs(s.Task)
	case s.LoadVar != nil:
		refs = pipeline.Refs(s.LoadVar.File)
	case s.SetPipeline != nil:
		refs = append(s.SetPipeline.Vars.Refs(), pipeline.Refs(s.SetPipeline.File)...)
		for _, f := range s.SetPipeline.VarFiles {
			refs = append(refs, pipeline.Refs(f.Value)...)
		}
	}
	refs = append(refs, pipeline.Refs(s.Timeout)...)
	if s.Across != nil {
		for _, v := range s.Across.Vars {
			refs = append(refs, v.Values.Refs()...)
		}
	}
	for _, inner := range children(s) {
		refs = append(refs, refsOf(inner)...)
	}
	return refs
}

func taskRefs(t *pipeline.Task) []pipeline.Ref {
	refs := append(t.Params.Refs(), pipeline.Refs(t.File)...)
	if t.Config == nil {
		return refs
	}
	inside := t.Config.Params.Refs()
	for _, text := range append([]string{t.Config.Run.Path, t.Config.Run.Dir}, t.Config.Run.Args...) {
		inside = append(inside, pipeline.Refs(text)...)
	}
	for _, ref := range inside {
		if t.Vars.Field(ref.Path).IsZero() {
			refs = append(refs, ref)
		}
	}
	return refs
}
