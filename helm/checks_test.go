package helm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// pod is the pod that a workload starts.
type pod struct {
	owner string
	core.PodTemplateSpec
}

// pods returns the templates of all workloads.
func pods(all []object) []pod {
	var found []pod
	for _, o := range all {
		name := o.Kind + " " + o.Name
		switch w := o.typed.(type) {
		case *apps.Deployment:
			found = append(found, pod{name, w.Spec.Template})
		case *batch.Job:
			found = append(found, pod{name, w.Spec.Template})
		case *batch.CronJob:
			found = append(found, pod{name, w.Spec.JobTemplate.Spec.Template})
		}
	}
	return found
}

// one returns the only object of a type, whose component label is that, or "" for any.
func one[T any](t *testing.T, all []object, component string) *T {
	t.Helper()
	var found []*T
	for _, o := range all {
		if typed, ok := o.typed.(*T); ok && (component == "" || o.Labels["app.kubernetes.io/component"] == component) {
			found = append(found, typed)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of %T with component %q, want one", len(found), found, component)
	}
	return found[0]
}

// checkObjects tries what a cluster, or the company's rules for pods, would refuse
// although every field is right, and what would be installed but not work.
func checkObjects(t *testing.T, all []object) {
	t.Helper()
	seen := map[string]bool{}
	for _, o := range all {
		id := fmt.Sprintf("%s %s %s", o.Kind, o.Namespace, o.Name)
		if seen[id] {
			t.Errorf("%s is made twice", id)
		}
		seen[id] = true
		if wrong := validation.IsDNS1123Subdomain(o.Name); len(wrong) > 0 {
			t.Errorf("%s: %v", id, wrong)
		}
		checkLabels(t, id, o.Labels)
		checkHook(t, id, o.Annotations)
	}
	for _, p := range pods(all) {
		checkLabels(t, p.owner, p.Labels)
		checkRestricted(t, p)
		checkVolumes(t, p, all)
		checkEnvironment(t, p)
		checkAccount(t, p, all)
	}
	checkSelectors(t, all)
	checkScheduled(t, all)
}

func checkLabels(t *testing.T, id string, set map[string]string) {
	t.Helper()
	for name, value := range set {
		if wrong := append(validation.IsQualifiedName(name), validation.IsValidLabelValue(value)...); len(wrong) > 0 {
			t.Errorf("%s: label %s=%s: %v", id, name, value, wrong)
		}
	}
	for _, name := range []string{"name", "instance"} {
		if set["app.kubernetes.io/"+name] == "" {
			t.Errorf("%s has no label %s", id, name)
		}
	}
}

// checkHook holds that what a hook leaves behind is cleared away.
func checkHook(t *testing.T, id string, annotations map[string]string) {
	t.Helper()
	if annotations["helm.sh/hook"] != "" && annotations["helm.sh/hook-delete-policy"] != "before-hook-creation,hook-succeeded" {
		t.Errorf("%s stays when its hook has succeeded", id)
	}
}

// checkRestricted is the Pod Security Standard "restricted", and a read-only root.
func checkRestricted(t *testing.T, p pod) {
	t.Helper()
	s := p.Spec
	if s.AutomountServiceAccountToken == nil || *s.AutomountServiceAccountToken {
		t.Errorf("%s mounts a token", p.owner)
	}
	if s.EnableServiceLinks == nil || *s.EnableServiceLinks {
		t.Errorf("%s takes variables of Services", p.owner)
	}
	if c := s.SecurityContext; c == nil || c.RunAsNonRoot == nil || !*c.RunAsNonRoot || *c.RunAsUser == 0 || c.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s may be root, or has no seccomp profile", p.owner)
	}
	c := s.Containers[0].SecurityContext
	if c == nil || *c.AllowPrivilegeEscalation || !*c.ReadOnlyRootFilesystem || !slices.Equal(c.Capabilities.Drop, []core.Capability{"ALL"}) || c.Capabilities.Add != nil {
		t.Errorf("%s: the container may do more than it needs", p.owner)
	}
	if s.Containers[0].Resources.Limits.Memory().IsZero() || s.Containers[0].Resources.Requests.Memory().IsZero() {
		t.Errorf("%s has no bound on memory", p.owner)
	}
}

// checkVolumes holds that mounts and volumes belong together, that secrets come as
// files that follow their Secret, and that a ConfigMap of the chart's is made.
func checkVolumes(t *testing.T, p pod, all []object) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range p.Spec.Volumes {
		volumes[v.Name] = false
		if v.ConfigMap == nil || !strings.HasPrefix(v.ConfigMap.Name, "demo-") {
			continue
		}
		if !slices.ContainsFunc(all, func(o object) bool { return o.Kind == "ConfigMap" && o.Name == v.ConfigMap.Name }) {
			t.Errorf("%s mounts ConfigMap %s, which nobody makes", p.owner, v.ConfigMap.Name)
		}
	}
	for _, m := range p.Spec.Containers[0].VolumeMounts {
		if _, known := volumes[m.Name]; !known {
			t.Errorf("%s mounts volume %s, which it does not have", p.owner, m.Name)
		}
		if m.SubPath != "" {
			t.Errorf("%s mounts %s by a subPath: it would not follow a rotation", p.owner, m.Name)
		}
		volumes[m.Name] = true
	}
	for name, mounted := range volumes {
		if !mounted {
			t.Errorf("%s does not mount its volume %s", p.owner, name)
		}
	}
}

// checkEnvironment holds that no variable stands twice or takes a value of a Secret,
// and that each file that one names is mounted.
func checkEnvironment(t *testing.T, p pod) {
	t.Helper()
	seen := map[string]bool{}
	for _, v := range p.Spec.Containers[0].Env {
		if seen[v.Name] || seen[strings.TrimSuffix(v.Name, "_FILE")] && strings.HasSuffix(v.Name, "_FILE") {
			t.Errorf("%s: %s is set twice", p.owner, v.Name)
		}
		seen[v.Name] = true
		if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
			t.Errorf("%s: %s is a secret in the environment", p.owner, v.Name)
		}
		if file, ok := strings.CutPrefix(v.Value, "/etc/search-indexer/files/"); ok && !projects(p, file) {
			t.Errorf("%s: no volume has the file of %s", p.owner, v.Name)
		}
	}
}

func projects(p pod, file string) bool {
	for _, v := range p.Spec.Volumes {
		if v.Projected == nil {
			continue
		}
		for _, source := range v.Projected.Sources {
			if s := source.Secret; s != nil && s.Items[0].Path == file && s.Name != "" && s.Items[0].Key != "" {
				return true
			}
			if c := source.ConfigMap; c != nil && c.Items[0].Path == file && c.Name != "" && c.Items[0].Key != "" {
				return true
			}
		}
	}
	return false
}

// checkAccount holds that a ServiceAccount is there when its pod starts: a hook's pod
// starts before anything of the release is made.
func checkAccount(t *testing.T, p pod, all []object) {
	t.Helper()
	name := p.Spec.ServiceAccountName
	if name == "default" || !strings.HasPrefix(name, "demo") {
		return
	}
	hook := strings.HasPrefix(p.owner, "Job ")
	for _, o := range all {
		if o.Kind == "ServiceAccount" && o.Name == name && (o.Annotations["helm.sh/hook"] != "") == hook {
			return
		}
	}
	t.Errorf("%s runs as %s, which is not there when it starts", p.owner, name)
}

// checkSelectors holds that whatever selects pods finds some, and no others.
func checkSelectors(t *testing.T, all []object) {
	t.Helper()
	for _, o := range all {
		var selector map[string]string
		switch s := o.typed.(type) {
		case *core.Service:
			selector = s.Spec.Selector
		case *apps.Deployment:
			selector = s.Spec.Selector.MatchLabels
		case *policy.PodDisruptionBudget:
			selector = s.Spec.Selector.MatchLabels
		case *networking.NetworkPolicy:
			selector = s.Spec.PodSelector.MatchLabels
		case *monitoring.ServiceMonitor:
			checkMonitored(t, all, labels.SelectorFromSet(s.Spec.Selector.MatchLabels))
			continue
		default:
			continue
		}
		for _, p := range pods(all) {
			component := selector["app.kubernetes.io/component"]
			want := component == "" || component == p.Labels["app.kubernetes.io/component"]
			if got := labels.SelectorFromSet(selector).Matches(labels.Set(p.Labels)); got != want {
				t.Errorf("%s %s: selects the pods of %s is %v", o.Kind, o.Name, p.owner, got)
			}
		}
	}
}

// checkMonitored holds that Prometheus finds each pod with a port.
func checkMonitored(t *testing.T, all []object, services labels.Selector) {
	t.Helper()
	for _, p := range pods(all) {
		if len(p.Spec.Containers[0].Ports) == 0 {
			continue
		}
		if !slices.ContainsFunc(all, func(o object) bool {
			s, ok := o.typed.(*core.Service)
			return ok && services.Matches(labels.Set(o.Labels)) && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(p.Labels))
		}) {
			t.Errorf("%s has metrics that nobody scrapes", p.owner)
		}
	}
}

// checkScheduled holds what is so of every CronJob: one at a time, the rebuild asleep.
func checkScheduled(t *testing.T, all []object) {
	t.Helper()
	for _, o := range all {
		c, ok := o.typed.(*batch.CronJob)
		if !ok {
			continue
		}
		if c.Spec.ConcurrencyPolicy != batch.ForbidConcurrent || len(c.Name) > 52 {
			t.Errorf("%s may run twice at once, or its name is too long", c.Name)
		}
		if strings.HasSuffix(c.Name, "-rebuild") && !*c.Spec.Suspend {
			t.Errorf("%s starts by itself", c.Name)
		}
	}
}
