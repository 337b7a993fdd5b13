// The Node function beside which ours is measured: one read of the table for each request.
"use strict";

const { DynamoDBClient, GetItemCommand } = require("@aws-sdk/client-dynamodb");

// Made when the instance starts, as AWS advises; it connects when it is first used.
const dynamodb = new DynamoDBClient({});

exports.handler = async (event) => {
  const key = { S: "SANDBOX#" + event.rawPath.split("/").pop() };
  const read = { TableName: process.env.MODBOX_TABLE, Key: { pk: key, sk: key }, ConsistentRead: true };
  const { Item } = await dynamodb.send(new GetItemCommand(read));
  const item = Object.fromEntries(Object.entries(Item).map(([name, value]) => [name, Object.values(value)[0]]));
  return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(item) };
};
