package helm_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// object is one object of Kubernetes: as it was rendered, and in its Go type.
type object struct {
	meta.TypeMeta
	meta.ObjectMeta
	raw   []byte // JSON
	typed any
}

// kinds are all that the chart makes. One that is not here is refused.
func kinds() map[string]any {
	return map[string]any{
		"apps/v1 Deployment":                      apps.Deployment{},
		"batch/v1 CronJob":                        batch.CronJob{},
		"batch/v1 Job":                            batch.Job{},
		"v1 ConfigMap":                            core.ConfigMap{},
		"v1 Service":                              core.Service{},
		"v1 ServiceAccount":                       core.ServiceAccount{},
		"networking.k8s.io/v1 NetworkPolicy":      networking.NetworkPolicy{},
		"policy/v1 PodDisruptionBudget":           policy.PodDisruptionBudget{},
		"monitoring.coreos.com/v1 ServiceMonitor": monitoring.ServiceMonitor{},
		"monitoring.coreos.com/v1 PrometheusRule": monitoring.PrometheusRule{},
		"keda.sh/v1alpha1 ScaledObject":           keda.ScaledObject{},
		"keda.sh/v1alpha1 TriggerAuthentication":  keda.TriggerAuthentication{},
		"kafka.strimzi.io/v1 KafkaTopic":          kafkaTopic{},
		"kafka.strimzi.io/v1beta2 KafkaTopic":     kafkaTopic{},
		"kafka.strimzi.io/v1 KafkaUser":           kafkaUser{},
		"kafka.strimzi.io/v1beta2 KafkaUser":      kafkaUser{},
	}
}

// decode reads one object as the API server does with strict validation of fields:
// unknown and repeated ones are errors, and so is another case.
func decode(document []byte) (object, error) {
	raw, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return object{}, fmt.Errorf("read YAML: %w", err)
	}
	var head struct {
		meta.TypeMeta `json:",inline"`
		Metadata      meta.ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return object{}, fmt.Errorf("read kind and metadata: %w", err)
	}
	kind, known := kinds()[head.APIVersion+" "+head.Kind]
	if !known {
		return object{}, fmt.Errorf("%s %s is no kind that this chart makes", head.APIVersion, head.Kind)
	}
	typed := reflect.New(reflect.TypeOf(kind))
	strict, err := kjson.UnmarshalStrict(raw, typed.Interface())
	if err = errors.Join(append(strict, err)...); err != nil {
		return object{}, fmt.Errorf("decode %s %s: %w", head.Kind, head.Metadata.Name, err)
	}
	return object{head.TypeMeta, head.Metadata, raw, typed.Interface()}, nil
}

// The shapes of Strimzi's objects, by its CRDs; the fields of both versions that the
// chart may use. In v1 `operations` alone names what an ACL allows.
type (
	kafkaTopic struct {
		meta.TypeMeta   `json:",inline"`
		meta.ObjectMeta `json:"metadata"`
		Spec            struct {
			TopicName  string `json:"topicName"`
			Partitions int32  `json:"partitions"`
			Replicas   int32  `json:"replicas"`
			// Texts and numbers; the operator compares them as texts.
			Config map[string]any `json:"config"`
		} `json:"spec"`
	}
	kafkaUser struct {
		meta.TypeMeta   `json:",inline"`
		meta.ObjectMeta `json:"metadata"`
		Spec            struct {
			Authentication struct {
				Type string `json:"type"`
			} `json:"authentication"`
			Authorization struct {
				Type string     `json:"type"`
				ACLs []kafkaACL `json:"acls"`
			} `json:"authorization"`
		} `json:"spec"`
	}
	kafkaACL struct {
		Resource struct {
			Type        string `json:"type"`
			Name        string `json:"name"`
			PatternType string `json:"patternType"`
		} `json:"resource"`
		Operations []string `json:"operations"`
	}
)
