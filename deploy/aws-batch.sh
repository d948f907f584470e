#!/bin/sh
# A scrub in four parts as an array job of AWS Batch, and a job that joins them: deploy/aws-batch.sh QUEUE
# A part that fails is tried again, and reads what it had not read.
set -eu
queue=$1
folder=$(dirname "$0")
for step in part merge; do
    aws batch register-job-definition --cli-input-json "file://$folder/aws-batch-$step.json" >/dev/null
done
parts=$(aws batch submit-job --job-name restow-scrub-parts --job-queue "$queue" --job-definition restow-scrub-part \
    --array-properties size=4 --query jobId --output text)
aws batch submit-job --job-name restow-scrub-merge --job-queue "$queue" --job-definition restow-scrub-merge \
    --depends-on "jobId=$parts" --query jobId --output text
