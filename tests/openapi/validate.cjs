"use strict";

/*
 * Validates values against schemas of an OpenAPI document with AJV.
 *
 * Reads {"document": {...}, "values": [{"schema": POINTER, "value": ...}, ...]} and
 * writes the errors of each value, as a list of texts.
 */

const { readFileSync } = require("node:fs");
const Ajv = require("ajv/dist/2020");
const addFormats = require("ajv-formats");

const { document, values } = JSON.parse(readFileSync(0, "utf-8"));
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strict: true });
addFormats(ajv);
// What OpenAPI adds to JSON Schema, and the words of the documentation.
ajv.addVocabulary(["discriminator", "example", "x-allowed", ...Object.keys(document)]);
ajv.addSchema(document, "document");
const errors = values.map(({ schema, value }) => {
  const validate = ajv.getSchema(`document#${schema}`);
  return validate(value) ? [] : validate.errors.map((each) => JSON.stringify(each));
});
process.stdout.write(JSON.stringify(errors));
